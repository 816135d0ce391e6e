// How teams and days look: a colour and a letter for each team, a dash for each day; figures as people say them.
import { element, figure, say } from "./page.js";

// Dark enough for white letters (contrast 4.5 and more), as far apart as twelve can be; the letter says it without colour.
const TEAM_COLOURS = [
  "#2166AC", "#B2470E", "#1B7837", "#762A83", "#B3003C", "#00707A",
  "#7A5C00", "#374151", "#5A54C4", "#8C4A3A", "#4A7310", "#A0307F",
];
const DAY_DASHES = [null, "12 7", "3 7", "16 6 3 6", "7 5", "16 6 3 6 3 6"];

/** The look of the team that stands at this place in the plan's list. */
export function teamLook(index) {
  return { colour: TEAM_COLOURS[index % TEAM_COLOURS.length], letter: String.fromCharCode(65 + (index % 26)) };
}

/** The dash of a day's lines; the first day's are whole. */
export function dayDash(day) {
  return DAY_DASHES[(day - 1) % DAY_DASHES.length];
}

/** Seconds after midnight as a clock shows them. */
export function clock(seconds) {
  const whole = Math.round(seconds / 60);
  return `${String(Math.floor(whole / 60)).padStart(2, "0")}:${String(whole % 60).padStart(2, "0")}`;
}

/** A clock's text as seconds after midnight. */
export function secondsOf(text) {
  const [hours, minutes] = text.split(":").map(Number);
  return hours * 3600 + minutes * 60;
}

export function inMinutes(seconds) {
  return say("minutes", { count: figure(Math.round(seconds / 60)) });
}

/** A long time in hours and minutes. */
export function inHours(seconds) {
  const whole = Math.round(seconds / 60);
  const minutes = String(whole % 60).padStart(2, "0");
  return whole < 60 ? inMinutes(seconds) : say("hours", { hours: figure(Math.floor(whole / 60)), minutes });
}

export function inKilometres(metres) {
  return say("kilometres", { count: (metres / 1000).toFixed(1) });
}

/** A difference with its sign; a true minus, for it stands among figures. */
export function signed(value, said) {
  if (!value) return said(0);
  return `${value > 0 ? "+" : "\u2212"}${said(Math.abs(value))}`;
}

/** A day's number as its date, 3/21. */
export function shortDay(problem, day) {
  const [, month, date] = problem.days[day - 1].split("-").map(Number);
  return `${month}/${date}`;
}

/** A team's letter on its colour. */
export function teamBadge(team) {
  const badge = element("span", { class: "vm-team", "aria-hidden": "true" }, team.letter);
  badge.style.backgroundColor = team.colour;
  return badge;
}
