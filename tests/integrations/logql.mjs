// logql.mjs FOLDER: reads a JSON list of LogQL queries, and prints those that Grafana's own parser
// (@grafana/lezer-logql, in FOLDER/node_modules) finds a mistake in. Exits with 1 where there is one.
import { createRequire } from "node:module";

const { parser } = createRequire(`${process.argv[2]}/`)("@grafana/lezer-logql");

function mistakes(query) {
  const found = [];
  parser.parse(query).iterate({
    enter: (node) => {
      if (node.type.isError) found.push(query.slice(Math.max(0, node.from - 20), node.to + 20));
    },
  });
  return found;
}

let text = "";
for await (const piece of process.stdin) text += piece;
const wrong = JSON.parse(text).filter((query) => mistakes(query).length > 0);
for (const query of wrong) console.log(`${query}\n    near ${mistakes(query)}`);
process.exit(wrong.length > 0 ? 1 : 0);
