import assert from "node:assert/strict";
import { BUNDLES, sizeOf } from "../../scripts/size.ts";

for (const bundle of BUNDLES) {
  Deno.test(`${bundle.name}: a bundle has at most ${bundle.limit} bytes, gzipped, and not much less`, async () => {
    const { gzipped } = await sizeOf(bundle);
    assert(gzipped <= bundle.limit, `${gzipped} bytes`);
    // A limit far above the size would notice no growth.
    assert(gzipped >= 0.85 * bundle.limit, `only ${gzipped} bytes: lower the limit`);
  });
}
