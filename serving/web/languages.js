// The languages and models to choose from: what the server has loaded, and nothing else.

import { byId, element } from "./dom.js";

export const AUTO = "auto";
const names = new Intl.DisplayNames(["en"], { type: "language", fallback: "code" });

export const languageName = (code) => (code === AUTO ? "Detect language" : names.of(code));

export class Languages {
  /** `onChange` is told when another pair is wanted. */
  constructor(models, onChange) {
    this.models = models;
    this.source = byId("source");
    this.target = byId("target");
    fill(this.source, [...unique(models.map((one) => one.source)), AUTO], languageName);
    this.offerTargets();
    this.source.addEventListener("change", () => {
      this.offerTargets();
      onChange();
    });
    this.target.addEventListener("change", onChange);
  }

  /** The models of the pair that is chosen, in the server's order. */
  get ofPair() {
    return this.models.filter(
      (one) => this.reads(one) && one.target === this.target.value,
    );
  }

  /** Whether a pair is offered. */
  has(source, target) {
    return this.models.some((one) => one.source === source && one.target === target);
  }

  choose(source, target) {
    this.source.value = source;
    this.offerTargets();
    this.target.value = target;
  }

  reads(model) {
    return this.source.value === AUTO || model.source === this.source.value;
  }

  offerTargets() {
    const wanted = this.target.value;
    const offered = unique(this.models.filter((one) => this.reads(one)).map((one) => one.target));
    fill(this.target, offered, languageName);
    this.target.value = offered.includes(wanted) ? wanted : offered[0];
  }
}

/** What to know of a model beside its name, in a few words. */
export function modelFacts({ family, parameters, scores }) {
  const bleu = scores.find((one) => one.metric === "BLEU");
  return [
    FAMILIES[family] ?? family,
    parameters ? `${millions(parameters)} parameters` : "",
    bleu ? `BLEU ${bleu.value.toFixed(1)}` : "",
  ].filter(Boolean).join(" · ");
}

/** Offer values in a select, by what people call them; what was chosen stays where it can. */
export function fill(select, values, nameOf) {
  const chosen = select.value;
  select.replaceChildren(...values.map((value) => element("option", { value }, nameOf(value))));
  if (values.includes(chosen)) select.value = chosen;
}

const FAMILIES = { transformer: "Transformer", gru: "RNN (GRU)", lstm: "RNN (LSTM)" };
const unique = (values) => [...new Set(values)];
const millions = (count) =>
  count < 1e5 ? count.toLocaleString("en") : `${(count / 1e6).toFixed(1)} M`;
