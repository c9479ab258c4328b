/* A stream of events that knows when its server has fallen silent. */

const MISSES = 3;
const RETRY_MS = 1000;
const BROKEN_MS = 2500;

/**
 * Listen until the page closes.
 * `heard` maps event names to functions of their data; `opened`, `lost` tell whether the server answers.
 * A hung server keeps its connections: only its missing heartbeats tell, so any silence of three of them is the end.
 */
export function listen(url, heartbeatMs, { heard, opened, lost }) {
  let source = null;
  let alive = Date.now();
  let broken = null;

  function open() {
    source?.close();
    source = new EventSource(url);
    source.onopen = () => { alive = Date.now(); broken = null; opened(); };
    source.onerror = () => { broken ??= Date.now(); source.close(); setTimeout(open, RETRY_MS); };
    source.addEventListener("heartbeat", () => { alive = Date.now(); });
    for (const [name, act] of Object.entries(heard)) {
      source.addEventListener(name, (event) => { alive = Date.now(); act(JSON.parse(event.data)); });
    }
  }

  function check() {
    const now = Date.now();
    const silent = now - alive > MISSES * heartbeatMs;
    if (silent || (broken !== null && now - broken > BROKEN_MS)) lost();
    if (silent && broken === null) { alive = now; broken = now; open(); }
  }

  open();
  setInterval(check, 500);
  addEventListener("pagehide", () => source.close());
}
