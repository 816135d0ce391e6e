// A plan as the page reads it: routes in order, each stop's place in them, who is locked to what.
import { teamLook } from "./route-looks.js";

export function routeKey(team, day) {
  return `${day}|${team}`;
}

export class RoutePlan {
  /** `plan` may be another than the answer's own: one that is only tried. */
  constructor(answer, plan = answer.plan) {
    this.answer = answer;
    this.problem = answer.problem;
    this.plan = plan;
    this.stops = new Map(this.problem.stops.map((stop) => [stop.id, stop]));
    this.sites = new Map(this.problem.sites.map((site) => [site.id, site]));
    this.teams = this.problem.teams.map((team, index) => ({ ...team, ...teamLook(index), index }));
    this.byTeam = new Map(this.teams.map((team) => [team.id, team]));
    this.routes = [...plan.routes].map((route) => ({ ...route, key: routeKey(route.team, route.day) }));
    this.routes.sort((a, b) => a.day - b.day || this.byTeam.get(a.team).index - this.byTeam.get(b.team).index);
    this.byKey = new Map(this.routes.map((route) => [route.key, route]));
    this.where = new Map(this.routes.flatMap((route) => route.calls.map((call, index) => [call.stop, { route, index }])));
    this.locks = Map.groupBy ? Map.groupBy(this.problem.locks, (lock) => lock.stop) : grouped(this.problem.locks);
  }

  /** Every team and day on which somebody may drive. */
  shifts() {
    const days = this.problem.days.map((_, index) => index + 1);
    return days.flatMap((day) => this.teams.filter((team) => !team.days.length || team.days.includes(day)).map((team) => ({ team, day })));
  }

  /** A stop's or site's position as Leaflet takes it; null in a plan without coordinates. */
  at(id) {
    const site = this.stops.get(id) ?? this.sites.get(id);
    return site && site.lat !== null && site.lon !== null ? [site.lat, site.lon] : null;
  }

  /** Ids of a route from its start to its end. */
  ids(route) {
    const team = this.byTeam.get(route.team);
    return [team.start, ...route.calls.map((call) => call.stop), team.end];
  }

  name(id) {
    return (this.stops.get(id) ?? this.sites.get(id))?.name ?? id;
  }
}

function grouped(locks) {
  const found = new Map();
  for (const lock of locks) found.set(lock.stop, [...(found.get(lock.stop) ?? []), lock]);
  return found;
}

/** Driving time, distance and work of a route. */
export function sums(route) {
  const lunch = route.lunch ? route.lunch.end_s - route.lunch.begin_s : 0;
  return {
    travel_s: route.calls.reduce((sum, call) => sum + call.leg_s, route.back_leg_s),
    distance_m: route.calls.reduce((sum, call) => sum + call.leg_m, route.back_leg_m),
    working_s: route.back_s - route.leave_s - lunch,
  };
}
