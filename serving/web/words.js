// Texts as words with spans, and the attention between them.
//
// The server counts characters as code points; JavaScript's strings count UTF-16 units.

const FAINT = 0.15; // of the strongest light; less is noise
const NOTHING = 0.05; // attention below which nothing is lit at all

/** A text cut at spans: a list of {text, at}, where `at` is the number of the span, or -1. */
export function cut(text, spans) {
  const points = Array.from(text);
  const pieces = [];
  let end = 0;
  const add = (to, at) => {
    if (to > end) pieces.push({ text: points.slice(end, to).join(""), at });
    end = Math.max(end, to);
  };
  spans.forEach(([from, to], at) => {
    add(from, -1);
    add(to, at);
  });
  add(points.length, -1);
  return pieces;
}

/** The words of a text and of its translation, sentence by sentence, numbered throughout. */
export class Words {
  constructor(sentences) {
    this.sentences = sentences;
    this.source = sentences.flatMap((one) => one.source);
    this.target = sentences.flatMap((one) => one.target);
    this.probabilities = sentences.flatMap((one) => one.probabilities);
    this.rows = [];
    let first = 0;
    sentences.forEach((one, sentence) => {
      one.attention.forEach((weights) => this.rows.push({ sentence, first, weights }));
      first += one.source.length;
    });
  }

  /** How much of a target word came of a source word. */
  weight(target, source) {
    const { first, weights } = this.rows[target];
    return weights[source - first] ?? 0;
  }

  /** The light that a target word throws on each source word, 0 to 1. */
  onSource(target) {
    return scaled(this.source.map((_, source) => this.weight(target, source)));
  }

  /** The light that source words throw on each target word, 0 to 1. */
  onTarget(sources) {
    const sum = (target) => sources.reduce((all, one) => all + this.weight(target, one), 0);
    return scaled(this.target.map((_, target) => sum(target)));
  }

  /** The source words that share characters with a span. */
  touching([from, to]) {
    return this.source.flatMap(([start, end], at) => (start < to && from < end ? [at] : []));
  }
}

function scaled(weights) {
  const most = Math.max(0, ...weights);
  return weights.map((one) => (most > NOTHING && one > FAINT * most ? one / most : 0));
}
