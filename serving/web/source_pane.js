// The text as typed. A mirror of it stands behind the field: the field grows with it, its words can
// be lit, and where a word lies in it tells which word of the field the pointer is over.

import { byId, element, onLeave, setLight } from "./dom.js";
import { cut } from "./words.js";

export class SourcePane {
  /** `onText` is told of each change, `onWord` of the span of the word pointed at, or null. */
  constructor({ onText, onWord }) {
    this.field = byId("text");
    this.mirror = byId("mirror");
    this.words = [];
    this.spans = [];
    this.at = -1;
    this.onWord = onWord;
    this.field.addEventListener("input", () => {
      this.forgetWords();
      onText();
    });
    this.field.addEventListener("pointermove", (event) => this.point(this.under(event)));
    onLeave(this.field, () => this.point(-1));
    document.addEventListener("selectionchange", () => this.pointAtCaret());
    byId("clear").addEventListener("click", () => {
      this.text = "";
      this.field.focus();
    });
    this.forgetWords();
  }

  get text() {
    return this.field.value;
  }

  set text(value) {
    this.field.value = value;
    this.field.dispatchEvent(new Event("input"));
  }

  /** Show the words of a text, unless it has been changed meanwhile. */
  showWords(text, spans) {
    if (text !== this.text) return;
    this.spans = spans;
    this.words = [];
    this.mirror.replaceChildren(
      ...cut(text, spans).map((piece) => (piece.at < 0 ? piece.text : this.word(piece))),
      "\u200b",
    );
  }

  /** Light words by how much; `spans` may be another model's, and cut the text otherwise. */
  light(spans, lights) {
    const lit = spans.map((span, at) => [...span, lights[at]]).filter(([, , light]) => light > 0);
    this.words.forEach((word, at) => {
      const [start, end] = this.spans[at];
      const here = lit.filter(([from, to]) => from < end && start < to);
      setLight(word, Math.max(0, ...here.map(([, , light]) => light)));
    });
  }

  forgetWords() {
    this.point(-1);
    this.words = [];
    this.spans = [];
    this.mirror.textContent = this.text + "\u200b"; // a last empty line takes its place too
  }

  word({ text, at }) {
    const made = element("span", { className: "word" }, text);
    this.words[at] = made;
    return made;
  }

  under({ clientX, clientY }) {
    const holds = (box) =>
      box.left <= clientX && clientX <= box.right && box.top <= clientY && clientY <= box.bottom;
    return this.words.findIndex((word) => [...word.getClientRects()].some(holds));
  }

  pointAtCaret() {
    const { selectionStart: from, selectionEnd: to } = this.field;
    if (document.activeElement !== this.field || from !== to) return;
    const caret = Array.from(this.text.slice(0, from)).length;
    this.point(this.spans.findIndex(([start, end]) => start <= caret && caret <= end));
  }

  point(at) {
    if (at === this.at) return;
    this.words[this.at]?.classList.remove("pointed");
    this.words[at]?.classList.add("pointed");
    this.at = at;
    this.onWord(at < 0 ? null : this.spans[at]);
  }
}
