#!/usr/bin/env bash
# devalue revives an object of a custom type that refers to itself twice, and loses its identity.
#
# Package: devalue@6.0.3 (npm).
# Expected: cyclic references survive, as the package says, even for types with a custom reviver.
# Seen: devalue calls the reviver twice, first with incomplete data. An Error whose cause is itself
#   comes back with another Error as its cause, revived from data without the fields. A plain object
#   with the same cycle comes back as one object.
# Exits 1 when this changes.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
npm init -y >/dev/null
npm install --silent --no-audit --no-fund devalue@6.0.3
cat >run.mjs <<'JS'
import { parse, stringify } from "devalue";

const error = new Error("first");
error.cause = error;
const text = stringify(error, { Error: (it) => it instanceof Error && { message: it.message, cause: it.cause } });
let revived = 0;
const back = parse(text, {
  Error: (data) => {
    revived++;
    return Object.assign(new Error(data.message), { cause: data.cause });
  },
});
const plain = { name: "first" };
plain.cause = plain;
const plainBack = parse(stringify(plain));
const seen = { revived, "the error is its own cause": back.cause === back, "the plain object is": plainBack.cause === plainBack };
console.log(`devalue 6.0.3: ${JSON.stringify(seen)}`);
process.exit(revived === 2 && back.cause !== back && plainBack.cause === plainBack ? 0 : 1);
JS
node run.mjs
