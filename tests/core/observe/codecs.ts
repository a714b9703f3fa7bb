/**
 * Codecs of the observer's tests.
 *
 * @module
 */

import { type Codec, devalueCodec } from "../../../core/values/codec.ts";

/** A codec whose texts have a prefix. It refuses other texts. */
export function prefixed(prefix: string): Codec {
  return {
    encode: (value) => prefix + devalueCodec.encode(value),
    decode: (text) => {
      if (!text.startsWith(prefix)) throw new Error("not a text of this codec");
      return devalueCodec.decode(text.slice(prefix.length));
    },
  };
}
