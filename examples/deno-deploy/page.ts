/**
 * A page to order, and to follow the order.
 *
 * @module
 */

/**
 * The HTML. `EventSource` connects again by itself with the last ID that it saw, and misses
 * nothing.
 */
export const page = `<!DOCTYPE html>
<meta charset="utf-8">
<title>Parley on Deno Deploy</title>
<button id="order">Order a lamp</button>
<ol id="progress"></ol>
<script type="module">
  const say = (text) => document.getElementById("progress").append(Object.assign(document.createElement("li"), { textContent: text }));
  document.getElementById("order").onclick = async () => {
    const response = await fetch("/orders", { method: "POST", body: JSON.stringify({ item: "lamp" }) });
    const { payUrl, progress } = await response.json();
    say("Pay at " + payUrl);
    const source = new EventSource(progress);
    source.onmessage = ({ data }) => say(JSON.parse(data));
    source.addEventListener("end", () => source.close());
  };
</script>`;
