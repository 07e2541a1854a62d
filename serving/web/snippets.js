// A request as somebody would write it into a shell or a program.

/** The request as one curl command for a POSIX shell. */
export function curl(address, body) {
  const json = JSON.stringify(body, null, 2);
  return [
    `curl ${quoted(address)}`,
    `-H 'Content-Type: application/json'`,
    `-d ${quoted(json)}`,
  ].join(" \\\n  ");
}

/** The request as a Python program that needs nothing but Python. */
export function python(address, body) {
  const lines = Object.entries(body).map(
    ([name, value]) => `    ${JSON.stringify(name)}: ${literal(value)},`,
  );
  return `import json
from urllib.request import Request, urlopen

body = {
${lines.join("\n")}
}
request = Request(
    ${JSON.stringify(address)},
    json.dumps(body).encode(),
    {"Content-Type": "application/json"},
)
with urlopen(request) as response:
    for translation in json.load(response)["translations"]:
        print(translation["text"])
`;
}

const quoted = (text) => `'${text.replaceAll("'", `'\\''`)}'`;

const literal = (value) =>
  typeof value === "boolean" ? (value ? "True" : "False") : JSON.stringify(value);
