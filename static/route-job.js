// A job of the solver as a bar: how far it is, what it has found, and a button that keeps the best so far.
import { element, figure, say } from "./page.js";
import { inHours } from "./route-looks.js";
import { Refusal, ask } from "./route-source.js";

const POLL_MS = 500;
const PATIENCE = 5;

function wait(milliseconds) {
  return new Promise((resolve) => {
    setTimeout(resolve, milliseconds);
  });
}

/** Draw a job's state into its bar. */
function tell(parts, { status, progress }) {
  parts.bar.value = progress?.fraction ?? 0;
  const known = progress && progress.stops !== undefined && progress.stops !== null;
  if (!known) {
    parts.words.textContent = say(status === "queued" ? "job_queued" : "job_running");
    return;
  }
  const values = { stops: figure(progress.stops), left: figure(progress.left_out ?? 0), travel: inHours(progress.travel_s ?? 0) };
  parts.words.textContent = say(progress.feasible === false ? "job_searching" : "job_found", values);
}

/** Ask again where the server was out of reach for a moment. */
async function state(href, failed) {
  try {
    return await ask(href);
  } catch (error) {
    if (error instanceof Refusal || failed >= PATIENCE) throw error;
    return null;
  }
}

/** Follow the job at an address inside `box` until it is over; answers its result, or throws its fault's sentence. */
export async function followJob(box, href) {
  const parts = {
    bar: element("progress", { max: "1", value: "0", "aria-label": say("job_bar") }),
    words: element("p", { role: "status" }, say("job_queued")),
    stop: element("button", { type: "button", class: "vm-plain" }, say("job_stop")),
  };
  parts.stop.addEventListener("click", () => {
    parts.stop.disabled = true;
    parts.words.textContent = say("job_stopping");
    ask(`${href}/stop`, {}).catch(() => { parts.stop.disabled = false; });
  });
  box.replaceChildren(parts.bar, parts.words, parts.stop);
  box.hidden = false;
  for (let failed = 0; ; await wait(POLL_MS)) {
    const told = await state(href, failed);
    failed = told ? 0 : failed + 1;
    if (!told) continue;
    if (!parts.stop.disabled) tell(parts, told);
    if (told.status === "done") return told.result;
    if (told.status === "failed" || told.status === "cancelled") {
      throw new Error(told.fault?.sentence ?? say("job_cancelled"));
    }
  }
}
