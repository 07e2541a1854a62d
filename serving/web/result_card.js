// One model's answer: its words, shaded by confidence and lit by attention, and its alternatives.

import { copyFrom } from "./clipboard.js";
import { byId, element, onLeave, percent, setLight } from "./dom.js";
import { heatMap } from "./heat_map.js";
import { cut, Words } from "./words.js";

const HINT = "Point at a word to see what it came of.";

export class ResultCard {
  /** `onModel`: another model was chosen; `onLight(spans, lights)`: light the text's words. */
  constructor({ onModel, onLight }) {
    this.root = byId("card").content.cloneNode(true).firstElementChild;
    this.select = this.find(".model");
    this.output = this.find(".translation");
    this.onLight = onLight;
    this.request = null; // what is under way, to be aborted by what is newer
    this.select.addEventListener("change", onModel);
    this.find(".copy").addEventListener("click", (event) => {
      copyFrom(event.currentTarget, this.shown?.text ?? "");
    });
    this.listenToWords();
    this.find(".map").addEventListener("toggle", () => this.drawMap());
    this.clear();
  }

  find(selector) {
    return this.root.querySelector(selector);
  }

  get text() {
    return this.shown?.text ?? "";
  }

  clear() {
    this.request?.abort();
    this.forget();
    this.output.replaceChildren();
    this.say("");
  }

  /** Nothing that was shown is of the text any more. */
  forget() {
    this.shown = null;
    this.words = new Words([]);
    this.spans = [];
    this.at = -1;
    this.root.classList.remove("busy");
    this.find(".others").hidden = true;
    this.find(".map").hidden = true;
    this.find(".warnings").replaceChildren();
    this.find(".time").textContent = "";
    this.find(".copy").disabled = true;
  }

  busy() {
    this.root.classList.add("busy");
  }

  /** Say why there is no translation. */
  fail(title, detail, more = "") {
    this.forget();
    this.output.replaceChildren(
      element(
        "div",
        { className: "problem", role: "alert" },
        element("strong", {}, title),
        element("p", {}, detail),
        more && element("p", { className: "quiet" }, more),
      ),
    );
    this.say("");
  }

  /** Show an answer; `seconds` is how long it took. */
  show(text, translation, seconds, language) {
    this.forget();
    this.source = Array.from(text);
    this.translation = translation;
    this.output.lang = language;
    this.find(".others ol").lang = language;
    this.find(".time").textContent = `${seconds.toFixed(2)} s`;
    this.find(".warnings").replaceChildren(
      ...(translation.warnings ?? []).map((one) => element("li", {}, one)),
    );
    this.find(".copy").disabled = false;
    this.choose(0);
  }

  /** Put a candidate in front. */
  choose(number) {
    const candidates = this.translation.candidates ?? [this.translation];
    this.shown = candidates[number];
    this.words = new Words(this.shown.words ?? []);
    this.target = Array.from(this.shown.text);
    this.at = -1;
    this.spans = [];
    const pieces = cut(this.shown.text, this.words.target);
    this.output.replaceChildren(
      ...pieces.map((piece) => (piece.at < 0 ? piece.text : this.word(piece))),
    );
    this.listOthers(candidates, number);
    this.sentence = 0;
    this.find(".map").hidden = !this.words.rows.length;
    this.drawMap();
    this.say(this.words.rows.length ? HINT : "");
  }

  /** Light the words that came of a span of the text; null: none. */
  lightFrom(span) {
    const sources = span ? this.words.touching(span) : [];
    this.lightWords(this.words.onTarget(sources));
    this.mark(-1);
    const found = sources.length && this.words.onTarget(sources);
    if (found && Math.max(...found) > 0) this.say(this.aboutSource(sources, found));
    else this.say(this.words.rows.length ? HINT : "");
  }

  word({ text, at }) {
    const sure = this.words.probabilities[at];
    const made = element("span", { className: "word" }, text);
    made.dataset.at = at;
    if (sure !== null) made.style.setProperty("--doubt", (1 - sure).toFixed(3));
    this.spans[at] = made;
    return made;
  }

  listenToWords() {
    const at = (event) => Number(event.target.closest(".word")?.dataset.at ?? -1);
    this.output.addEventListener("pointerover", (event) => this.point(at(event)));
    onLeave(this.output, () => this.point(-1));
    this.output.addEventListener("focusout", () => this.point(-1));
    this.output.addEventListener("keydown", (event) => {
      const next = this.stepped(event.key);
      if (next === undefined || !this.spans.length) return;
      event.preventDefault();
      this.point(next);
      this.spans[next]?.scrollIntoView({ block: "nearest" });
    });
  }

  /** Where a key leads among the words. */
  stepped(key) {
    const last = this.spans.length - 1;
    const steps = {
      ArrowRight: Math.min(this.at + 1, last),
      ArrowLeft: Math.max(this.at - 1, 0),
      Home: 0,
      End: last,
      Escape: -1,
    };
    return steps[key];
  }

  /** A translated word is pointed at: light what it came of. */
  point(at) {
    if (at === this.at) return;
    this.mark(at);
    this.lightWords([]);
    const lights = at < 0 ? [] : this.words.onSource(at);
    this.onLight(this.words.source, lights);
    if (at >= 0) this.say(this.aboutTarget(at));
    else this.say(this.words.rows.length ? HINT : "");
  }

  mark(at) {
    this.spans[this.at]?.classList.remove("pointed");
    this.spans[at]?.classList.add("pointed");
    this.at = at;
    const sentence = this.words.rows[at]?.sentence ?? this.sentence;
    if (sentence !== this.sentence) {
      this.sentence = sentence;
      this.drawMap();
    }
  }

  lightWords(lights) {
    this.spans.forEach((word, at) => setLight(word, lights[at] ?? 0));
  }

  aboutTarget(at) {
    const word = this.wordOf("target", this.words.target[at]);
    const sure = this.words.probabilities[at];
    const from = strongest(this.words.source.map((_, source) => this.words.weight(at, source)))
      .map(([source, weight]) => `${this.wordOf("source", this.words.source[source])} ${percent(weight)}`)
      .join(", ");
    const how = sure === null ? "kept as it was" : `${percent(sure)} sure`;
    return [word, from && `from ${from}`, how].filter(Boolean).join(" · ");
  }

  aboutSource(sources, lights) {
    const words = sources.map((at) => this.wordOf("source", this.words.source[at])).join(" ");
    const into = strongest(lights).map(([at]) => this.wordOf("target", this.words.target[at]));
    return `${words} · became ${into.join(", ")}`;
  }

  wordOf(side, [from, to]) {
    return this[side].slice(from, to).join("");
  }

  listOthers(candidates, shown) {
    const texts = new Set([candidates[shown].text]);
    const others = [];
    candidates.forEach(({ text }, number) => {
      if (texts.has(text)) return;
      texts.add(text);
      const button = element(
        "button", { type: "button", className: "other" }, ...contrasted(text, candidates[shown].text),
      );
      button.addEventListener("click", () => {
        this.choose(number);
        this.output.focus();
      });
      others.push(element("li", {}, button));
    });
    this.find(".others ol").replaceChildren(...others);
    this.find(".others").hidden = !others.length;
  }

  drawMap() {
    const sentence = this.words.sentences[this.sentence];
    if (!this.find(".map").open || !sentence) return;
    const count = this.words.sentences.length;
    const wordOf = (side, span) => this.wordOf(side, span);
    this.find(".map .scroll").replaceChildren(
      heatMap(sentence, this.sentence + 1, count, wordOf),
    );
  }

  say(text) {
    this.find(".about").textContent = text;
  }
}

/** A text with the words in bold that another one has not. */
function contrasted(text, other) {
  const known = new Set(other.split(/\s+/));
  return text
    .split(/(\s+)/)
    .map((word) => (!word.trim() || known.has(word) ? word : element("b", {}, word)));
}

/** The few largest, with their numbers. */
function strongest(weights) {
  return [...weights.entries()]
    .filter(([, weight]) => weight >= 0.1)
    .sort(([, a], [, b]) => b - a)
    .slice(0, 3);
}
