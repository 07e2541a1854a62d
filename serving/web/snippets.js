// A request as somebody would write it into a shell or a program.

/** The request as one curl command for a POSIX shell. */
export function curl(address, headers, body) {
  return [
    `curl ${quoted(address)}`,
    ...Object.entries(headers).map(([name, value]) => `-H ${quoted(`${name}: ${value}`)}`),
    `-d ${quoted(JSON.stringify(body, null, 2))}`,
  ].join(" \\\n  ");
}

/** The request as a Python program that needs nothing but Python. */
export function python(address, headers, body) {
  return `import json
from urllib.request import Request, urlopen

body = ${dictionary(body)}
headers = ${dictionary(headers)}
request = Request(${JSON.stringify(address)}, json.dumps(body).encode(), headers)
with urlopen(request) as response:
    for translation in json.load(response)["translations"]:
        print(translation["text"])
`;
}

const quoted = (text) => `'${text.replaceAll("'", `'\\''`)}'`;

/** A Python dictionary of strings. */
function dictionary(values) {
  const lines = Object.entries(values).map(
    ([name, value]) => `    ${JSON.stringify(name)}: ${JSON.stringify(value)},`,
  );
  return `{\n${lines.join("\n")}\n}`;
}
