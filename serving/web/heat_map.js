// Attention of one sentence as a table: a row for each translated word, a column for each word.

import { element, percent } from "./dom.js";

/** `wordsOf(side, span)` is the text of a span. */
export function heatMap(sentence, number, count, wordsOf) {
  const columns = sentence.source.map((span) =>
    element("th", { scope: "col" }, element("span", {}, wordsOf("source", span))),
  );
  const rows = sentence.target.map((span, at) =>
    element(
      "tr",
      {},
      element("th", { scope: "row" }, wordsOf("target", span)),
      ...sentence.attention[at].map(cell),
    ),
  );
  return element(
    "table",
    { className: "heat" },
    element("caption", {}, count > 1 ? `Sentence ${number} of ${count}` : "The whole sentence"),
    element("thead", {}, element("tr", {}, element("td"), ...columns)),
    element("tbody", {}, ...rows),
  );
}

function cell(weight) {
  const made = element("td", { title: percent(weight) });
  made.append(element("span", { className: "hidden" }, percent(weight)));
  made.style.setProperty("--light", weight);
  return made;
}
