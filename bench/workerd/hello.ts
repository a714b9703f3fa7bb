/**
 * A Worker that does nothing.
 *
 * @module
 */

export default {
  fetch(): Response {
    return new Response("hello", { status: 201 });
  },
};
