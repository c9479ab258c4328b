/* What the page knows of the visit, and how its buttons speak to the desk. */

export const visit = { token: "", language: "fr", step: "idle", visiting: false };

function headers(more) {
  return { "X-Visit": visit.token, "Accept-Language": visit.language, ...more };
}

async function ask(url, options) {
  try {
    return await fetch(url, { cache: "no-store", ...options });
  } catch {
    return null; // The stream notices a silent server and says so.
  }
}

/** Press a button. Resolves to { ok, message }; the message is the server's, in the visit's language. */
export async function press(button, body = {}) {
  const answer = await ask(`/press/${button}`, {
    method: "POST",
    headers: headers({ "Content-Type": "application/json" }),
    body: JSON.stringify(body),
  });
  if (answer === null) return { ok: false, message: "" };
  const said = await answer.json().catch(() => ({}));
  return { ok: answer.ok, status: answer.status, error: said.error ?? "", message: said.message ?? "" };
}

/** A piece of page for this visit, or null when there is none. */
export async function piece(url) {
  const answer = await ask(url, { headers: headers({}) });
  return answer?.ok ? answer.text() : null;
}
