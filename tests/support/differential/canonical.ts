/**
 * Answers of drivers in one form: what the contract leaves open is left out.
 *
 * @module
 */

/** Members that may be absent, `null`, or in any order. */
const IN_ANY_ORDER = new Set(["woken", "unknown", "claimed"]);

/**
 * An answer of which every driver must give the same.
 *
 * @param answer What a driver answered.
 * @param isRepeat Of a repeat, whom it woke is left open: whoever was woken by the first may have been claimed since. So is whether a claim has left some.
 */
export function canonical(answer: unknown, isRepeat: boolean): unknown {
  return JSON.parse(
    JSON.stringify(answer, (name, value) => {
      if (value === null || (isRepeat && (name === "woken" || name === "more"))) return undefined;
      // A claim may or may not count what it has just leased.
      if (name === "nextDueMs") return undefined;
      return IN_ANY_ORDER.has(name) && Array.isArray(value) ? value.toSorted(byText) : value;
    }) ?? "null",
  );
}

function byText(a: unknown, b: unknown): number {
  return JSON.stringify(a) < JSON.stringify(b) ? -1 : 1;
}
