// The form that asks for a plan: teams, days, what to call at, what counts; then the progress, then the plan.
import { element, page, say } from "./page.js";
import { Chooser } from "./route-choose.js";
import { followJob } from "./route-job.js";
import { ask } from "./route-source.js";

const MOST_TEAMS = 12;
const form = document.getElementById("ask");
const teamsBox = document.getElementById("teams");
const teamShape = document.getElementById("team-shape");
const faultBox = document.getElementById("ask-fault");
const jobBox = document.getElementById("ask-job");
let chooser = null;

function fail(words) {
  faultBox.textContent = words;
  faultBox.hidden = !words;
  if (words) faultBox.scrollIntoView({ block: "nearest" });
}

function numberTeams() {
  const cards = [...teamsBox.children];
  cards.forEach((card, index) => {
    card.querySelector("legend").textContent = say("team_number", { number: index + 1 });
    card.querySelector("[name=team_name]").placeholder = say("team_number", { number: index + 1 });
    card.querySelector(".vm-remove").hidden = cards.length === 1;
  });
  document.getElementById("add-team").disabled = cards.length >= MOST_TEAMS;
}

function addTeam() {
  const card = teamShape.content.firstElementChild.cloneNode(true);
  const last = teamsBox.lastElementChild;
  for (const name of last ? ["team_start", "team_from", "team_to", "team_lunch"] : []) {
    const [from, to] = [last, card].map((each) => each.querySelector(`[name=${name}]`));
    if (from.type === "checkbox") to.checked = from.checked;
    else to.value = from.value;
  }
  card.querySelector(".vm-remove").addEventListener("click", () => {
    card.remove();
    numberTeams();
  });
  teamsBox.append(card);
  numberTeams();
}

function teamSaid(card, index) {
  const value = (name) => card.querySelector(`[name=${name}]`).value.trim();
  const skills = value("team_skills").split(/[,，、\s]+/).filter(Boolean);
  const most = Number(value("team_most"));
  return {
    id: `t${index + 1}`,
    name: value("team_name") || say("team_number", { number: index + 1 }),
    ...(value("team_start") && { start: value("team_start") }),
    day_start: value("team_from"),
    day_end: value("team_to"),
    ...(!card.querySelector("[name=team_lunch]").checked && { lunch: null }),
    ...(skills.length && { skills }),
    ...(most > 0 && { most_stops: most }),
  };
}

const checked = (name) => [...form.querySelectorAll(`[name=${name}]:checked`)].map((each) => each.value);

/** What to call at, as a request says it. */
function stopsSaid(way) {
  const towns = checked("town");
  const category = form.elements.category.value;
  if (way === "sweep") return { sweep: form.elements.sweep.value };
  if (way === "hand") return { stops: chooser?.stops() ?? [] };
  if (way === "villages") return { choose: { villages: "all", towns, issues: false } };
  return { choose: { towns, categories: category ? [category] : [], overdue: form.elements.overdue.checked } };
}

function requestSaid() {
  const said = form.elements;
  return {
    name: said.name.value.trim(),
    days: { first: said.first.value, count: Number(said.count.value), weekends: said.weekends.checked },
    teams: [...teamsBox.children].map(teamSaid),
    ...stopsSaid(said.way.value),
    objectives: [...document.querySelectorAll("#objectives input:checked")].map((each) => each.value),
    village_min: Number(said.village_min.value),
    issue_min: Number(said.issue_min.value),
    seconds: Number(said.seconds.value),
  };
}

async function send(event) {
  event.preventDefault();
  fail("");
  const request = requestSaid();
  if (request.stops && !request.stops.length) return fail(say("nothing_chosen"));
  if (!request.objectives.length) return fail(say("no_objective"));
  const button = document.getElementById("ask-go");
  button.disabled = true;
  try {
    const { href } = await ask(page.links.plans, request);
    jobBox.scrollIntoView({ block: "center" });
    const { plan } = await followJob(jobBox, href);
    window.location.assign(`${page.links.routes}/${encodeURIComponent(plan)}`);
  } catch (fault) {
    jobBox.hidden = true;
    button.disabled = false;
    fail(fault.status || fault.constructor === Error ? fault.message : say("fault"));
  }
  return null;
}

/** The kind of things that are offered one by one. */
function kindWanted() {
  return form.elements.kind.value;
}

async function offer() {
  const way = form.elements.way.value;
  for (const part of form.querySelectorAll("[data-ways]")) part.hidden = !part.dataset.ways.split(" ").includes(way);
  for (const part of form.querySelectorAll("[data-kind]")) part.hidden = part.hidden || (way === "hand" && part.dataset.kind !== kindWanted());
  document.getElementById("towns-said").textContent = checked("town").length ? say("towns_chosen", { count: checked("town").length }) : say("towns_all");
  if (!chooser || way === "sweep") return;
  const kind = way === "villages" || (way === "hand" && kindWanted() === "village") ? "village" : "issue";
  try {
    await chooser.offer({ kind, towns: checked("town"), category: form.elements.category.value, overdue: form.elements.overdue.checked });
  } catch {
    fail(say("fault"));
  }
}

/** Objectives change places by buttons, so that fingers and keys can do it alike. */
function orderObjectives() {
  document.getElementById("objectives").addEventListener("click", (event) => {
    const button = event.target.closest("button");
    const row = button?.closest("li");
    const other = button?.dataset.step === "up" ? row?.previousElementSibling : row?.nextElementSibling;
    if (!other) return;
    if (button.dataset.step === "up") other.before(row);
    else other.after(row);
    button.focus();
  });
}

async function listPlans() {
  const box = document.getElementById("plans");
  try {
    const plans = await ask(page.links.plans);
    const rows = plans.map((plan) => {
      const values = { teams: plan.teams, days: Array.isArray(plan.days) ? plan.days.length : plan.days, stops: plan.stops, left: plan.left_out };
      return element("a", { class: "vm-card vm-task", href: `${page.links.routes}/${encodeURIComponent(plan.id)}` },
        element("b", {}, plan.name), element("span", { class: "vm-urgency" }, plan.sealed ? say("plan_sealed") : ""),
        element("span", { class: "vm-quiet" }, `${String(plan.made_at).slice(0, 10)} \u00b7 ${say("plan_line", values)}`));
    });
    box.replaceChildren(...(rows.length ? rows : [element("p", { class: "vm-card vm-quiet" }, say("no_plans"))]));
  } catch {
    box.replaceChildren(element("p", { class: "vm-card vm-fault" }, say("fault")));
  }
}

async function start() {
  listPlans();
  addTeam();
  document.getElementById("add-team").addEventListener("click", addTeam);
  orderObjectives();
  form.addEventListener("submit", send);
  form.addEventListener("change", (event) => {
    if (event.target.closest("[data-offers]")) offer();
  });
  chooser = new Chooser(document.getElementById("choose-map"), document.getElementById("choose-list"), document.getElementById("choose-count"));
  for (const [id, run] of [["choose-lasso", () => chooser.lasso()], ["choose-all", () => chooser.all(true)], ["choose-none", () => chooser.all(false)]]) {
    document.getElementById(id).addEventListener("click", run);
  }
  try {
    await chooser.start();
  } catch {
    fail(say("fault"));
  }
  await offer();
}

start();
