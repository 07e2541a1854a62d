// The page: what is typed goes to the server when the typing pauses, and comes back as words.

import * as api from "./api.js";
import { copyFrom } from "./clipboard.js";
import { translateFile } from "./documents.js";
import { byId, debounced } from "./dom.js";
import { AUTO, fill, languageName, Languages, modelFacts } from "./languages.js";
import { ResultCard } from "./result_card.js";
import { curl, python } from "./snippets.js";
import { SourcePane } from "./source_pane.js";

const PAUSE_MS = 350;
const CANDIDATES = 4;
const TRIES = 5; // of a server that says it is busy
const ADDRESS = new URL("v1/translate", document.baseURI).href;

let facts = { max_text_chars: Infinity, max_candidates: 1, max_file_bytes: Infinity };
let languages;
let loading = null;
let detected = null;
const waiting = []; // files, until it is known where to send them
const cards = [];
const soon = debounced(translateAll, PAUSE_MS);

const pane = new SourcePane({
  onText: () => {
    countCharacters();
    showRequest();
    if (pane.text.trim()) soon();
    else translateAll();
  },
  onWord: (span) => cards.forEach((card) => card.lightFrom(span)),
});

listen();
load();

/** Ask what there is to choose from, and begin; asked again while it asks, it asks once. */
function load() {
  loading ??= begin().finally(() => (loading = null));
}

async function begin() {
  try {
    const [offered, limits] = await Promise.all([api.models(), api.facts()]);
    facts = limits;
    countCharacters(); // of what was typed meanwhile, or kept by the browser
    byId("file").accept = limits.file_endings.join(",");
    languages = new Languages(offered, choosePair);
    byId("notice").hidden = true;
    if (!cards.length) addCard();
    choosePair();
    sendFiles(waiting.splice(0));
  } catch (problem) {
    complain(problem);
  }
}

function listen() {
  byId("swap").addEventListener("click", swap);
  byId("compare").addEventListener("click", compare);
  byId("shade").addEventListener("change", shade);
  byId("open-file").addEventListener("click", () => byId("file").click());
  byId("file").addEventListener("change", ({ currentTarget }) => {
    sendFiles(currentTarget.files);
    currentTarget.value = "";
  });
  for (const name of ["curl", "python"]) {
    byId(`copy-${name}`).addEventListener("click", ({ currentTarget }) => {
      copyFrom(currentTarget, byId(name).textContent);
    });
  }
  byId("key-form").addEventListener("submit", (event) => {
    event.preventDefault();
    api.key.set(byId("key").value.trim());
    byId("key-form").hidden = true;
    if (languages) choosePair();
    else load();
  });
  document.addEventListener("dragover", (event) => event.preventDefault());
  document.addEventListener("drop", (event) => {
    if (!event.dataTransfer.files.length) return;
    event.preventDefault();
    sendFiles(event.dataTransfer.files);
  });
  shade();
}

function addCard() {
  const card = new ResultCard({
    onModel: () => {
      showFacts(card);
      showRequest();
      translate(card);
    },
    onLight: (spans, lights) => pane.light(spans, lights),
  });
  cards.push(card);
  byId("panes").append(card.root);
  byId("panes").dataset.cards = cards.length;
  return card;
}

/** Another pair of languages: other models, another request. */
function choosePair() {
  const several = languages.ofPair.length > 1;
  byId("compare").hidden = !several;
  if (!several && cards.length > 1) compare();
  cards.forEach(offerModels);
  enableSwap();
  showRequest();
  translateAll();
}

function offerModels(card) {
  const names = languages.ofPair.map((one) => one.name);
  const any = languages.source.value === AUTO && names.length > 1;
  fill(card.select, any ? ["", ...names] : names, (name) => name || "Whichever fits");
  if (any && !card.any) card.select.value = ""; // a model reads one language only
  card.any = any;
  showFacts(card);
}

function showFacts(card) {
  const model = languages.ofPair.find((one) => one.name === card.select.value);
  card.find(".facts").textContent = model ? modelFacts(model) : "";
}

/** One model, or two beside each other: if possible of another family. */
function compare() {
  const both = cards.length < 2;
  if (both) {
    const card = addCard();
    offerModels(card);
    card.select.value = unlike(cards[0].select.value);
    showFacts(card);
    translate(card);
  } else {
    const card = cards.pop();
    card.clear();
    card.root.remove();
    byId("panes").dataset.cards = cards.length;
  }
  byId("compare").setAttribute("aria-pressed", both);
}

function unlike(name) {
  const others = languages.ofPair.filter((one) => one.name !== name);
  const family = languages.ofPair.find((one) => one.name === name)?.family;
  return (others.find((one) => one.family !== family) ?? others[0]).name;
}

function swap() {
  const { source, target } = languages;
  const text = cards[0].text;
  languages.choose(target.value, source.value === AUTO ? detected : source.value);
  if (text) pane.text = text;
  choosePair();
}

function enableSwap() {
  const from = languages.source.value === AUTO ? detected : languages.source.value;
  const possible = from !== null && languages.has(languages.target.value, from);
  byId("swap").disabled = !possible;
  byId("swap").title = possible ? "Swap languages" : "No model is loaded for the way back";
}

function shade() {
  byId("panes").classList.toggle("shaded", byId("shade").checked);
}

function requestOf(card) {
  const body = { text: pane.text, source: languages.source.value, target: languages.target.value };
  return card.select.value ? { ...body, model: card.select.value } : body;
}

function translateAll() {
  if (languages) cards.forEach((card) => translate(card));
  else again();
}

/** Nothing is known yet: ask again, unless it is for a person to give a key first. */
function again() {
  if (byId("key-form").hidden) load();
}

/** Ask for one card's translation; whatever it was waiting for is no longer wanted. */
async function translate(card, tries = TRIES) {
  card.request?.abort();
  if (!pane.text.trim()) {
    card.clear();
    showDetected(null);
    return;
  }
  const request = (card.request = new AbortController());
  const body = requestOf(card);
  const started = performance.now();
  card.busy();
  try {
    const n_best = Math.min(CANDIDATES, facts.max_candidates);
    const answer = await api.translate({ ...body, n_best, return_words: true }, request.signal);
    if (request.signal.aborted) return;
    const [translation] = answer.translations;
    card.show(body.text, translation, (performance.now() - started) / 1000, body.target);
    if (card === cards[0]) {
      pane.showWords(body.text, card.words.source);
      showDetected(translation.detected);
    }
  } catch (problem) {
    if (!request.signal.aborted) failed(card, problem, tries);
  }
}

function failed(card, problem, tries) {
  if (!(problem instanceof api.Problem)) throw problem;
  if (problem.wantsKey) byId("key-form").hidden = false;
  if (problem.retryAfter && tries > 1) {
    card.fail(problem.title, `Trying again in ${problem.retryAfter} s.`);
    const { request } = card;
    setTimeout(() => {
      if (!request.signal.aborted) translate(card, tries - 1);
    }, problem.retryAfter * 1000);
    return;
  }
  const detail = problem.errors.length
    ? problem.errors.map((one) => one.message).join("; ")
    : problem.message;
  card.fail(problem.title, detail, problem.requestId && `Request ${problem.requestId}`);
}

function showDetected(found) {
  detected = found?.language ?? null;
  byId("detected").textContent = found
    ? `${languageName(found.language)}, ${Math.round(found.confidence * 100)} %`
    : "";
  if (languages) enableSwap();
}

function countCharacters() {
  const count = Array.from(pane.text).length;
  const most = facts.max_text_chars;
  const limit = Number.isFinite(most) ? ` / ${most.toLocaleString("en")}` : ""; // not known yet
  byId("count").textContent = count ? count.toLocaleString("en") + limit : "";
  byId("count").classList.toggle("over", count > most);
  byId("clear").hidden = !count;
}

function showRequest() {
  if (!languages || !cards.length) return;
  const body = requestOf(cards[0]);
  if (!body.text) body.text = "Hello.";
  const headers = { "Content-Type": "application/json" };
  if (api.key.get()) headers.Authorization = "Bearer YOUR-KEY";
  byId("curl").textContent = curl(ADDRESS, headers, body);
  byId("python").textContent = python(ADDRESS, headers, body);
}

function sendFiles(files) {
  if (!languages) {
    waiting.push(...files);
    again();
    return;
  }
  const { text, ...fields } = requestOf(cards[0]);
  for (const file of files) translateFile(file, fields, facts);
}

function complain(problem) {
  if (problem.wantsKey) byId("key-form").hidden = false;
  byId("notice").textContent = `${problem.title ?? "Something went wrong"}: ${problem.message}`;
  byId("notice").hidden = false;
}
