// Where a plan's page gets its data and sends its changes: our own server, or the page itself, which can't change.
import { page, say } from "./page.js";

/** What the server said when it refused: its sentence, and its whole answer. */
export class Refusal extends Error {
  constructor(status, problem) {
    super(problem.detail || problem.title || say("fault"));
    this.status = status;
    this.problem = problem;
  }
}

/** Ask our own server; JSON both ways. */
export async function ask(address, body) {
  const headers = { accept: "application/json, application/geo+json", "accept-language": page.lang };
  if (body !== undefined) headers["content-type"] = "application/json";
  const answer = await fetch(address, { method: body === undefined ? "GET" : "POST", headers, body: JSON.stringify(body) });
  const said = await answer.json().catch(() => ({}));
  if (!answer.ok) throw new Refusal(answer.status, said);
  return said;
}

export class ServedRoutes {
  constructor() {
    this.links = page.links;
    this.plan = `${page.links.plans}/${encodeURIComponent(page.plan.id)}`;
    this.editable = true;
  }

  load() {
    return ask(this.plan);
  }

  legs() {
    return ask(`${this.plan}/legs`);
  }

  towns() {
    return ask(`${this.links.towns}?limit=1000`);
  }

  villages() {
    return ask(`${this.links.villages}?limit=1000`);
  }

  tryMoves(moves) {
    return ask(`${this.plan}/try`, { moves });
  }

  keepMoves(moves, revision, force) {
    return ask(`${this.plan}/moves`, { moves, revision, ...(force && { force }) });
  }

  undo(revision) {
    return ask(`${this.plan}/undo`, { revision });
  }

  setLocks(locks, revision) {
    return ask(`${this.plan}/locks`, { locks, revision });
  }

  replan(said) {
    return ask(`${this.plan}/replan`, said);
  }

  /** The address of a thing to take along; of one team's day where they are given. */
  sheet(kind, team, day) {
    const asked = new URLSearchParams({ ...(team && { team }), ...(day && { day }) }).toString();
    return `${this.plan}/sheet.${kind}${asked && `?${asked}`}`;
  }
}

export class HeldRoutes {
  constructor(held) {
    this.held = held;
    this.editable = false;
  }

  async load() {
    return this.held.plan;
  }

  async legs() {
    return this.held.legs;
  }

  async towns() {
    return this.held.towns;
  }

  async villages() {
    return this.held.villages;
  }
}
