/**
 * Streams with gaps, as forks of another library leave them.
 *
 * @module
 */

import type { Driver } from "../../../core/driver/driver.ts";
import type { GappedSnapshot } from "../../../core/read/host.ts";

/** The offsets that every stream has lost. */
const LOST = [0, 3, 4, 7, 8, 10, 11];

/** The offsets below 12 that are left. */
export const LEFT: readonly number[] = [1, 2, 5, 6, 9];

/** A store whose streams have lost values. A page ends before a gap, and says where it begins. */
export function forked(driver: Driver): Driver {
  return {
    ...driver,
    async readStream({ from, limit, ...place }): Promise<GappedSnapshot> {
      const whole = await driver.readStream({ ...place, from: 0, limit: 1_000 });
      const rows = whole.values.map((value, offset) => ({ value, offset })).filter(({ offset }) =>
        !LOST.includes(offset)
      );
      const tail = whole.closed ? whole.tail : (rows.at(-1)?.offset ?? -1) + 1;
      const later = rows.filter(({ offset }) => offset >= from);
      const start = limit === 0 ? from : later[0]?.offset ?? Math.max(from, whole.closed ? tail : from);
      const values = later.filter(({ offset }, index) => index < limit && offset === start + index);
      return { ...whole, from: start, values: values.map(({ value }) => value), tail };
    },
  };
}
