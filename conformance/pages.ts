/**
 * A driver whose journals come in small pages.
 *
 * @module
 */

import type { Driver, JournalPage } from "../core/driver/driver.ts";
import { withFaults } from "./faults.ts";

/**
 * Wraps a driver so that no page of a journal has more than `size` entries.
 *
 * @param driver The driver.
 * @param size The maximum number of entries of a page, 1 or more.
 * @returns The driver with small pages.
 */
export function withPages(driver: Driver, size: number): Driver {
  const cut = ({ entries, more }: JournalPage): JournalPage => ({
    entries: entries.slice(0, size),
    more: more || entries.length > size,
  });
  return {
    // Without faults, this makes the driver an object whose methods can be copied.
    ...withFaults(driver),
    async claim(request) {
      const result = await driver.claim(request);
      return { ...result, claimed: result.claimed.map((it) => ({ ...it, journal: cut(it.journal) })) };
    },
    readJournal: async (request) => cut(await driver.readJournal({ ...request, limit: Math.min(request.limit, size) })),
  };
}
