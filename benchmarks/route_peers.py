"""OR-Tools and VROOM on the same instances, where they are installed; each gets one core and the same seconds."""

from datetime import timedelta
from importlib.util import find_spec

import numpy as np
from route_cases import Case

PEERS = tuple(name for name, module in (("OR-Tools", "ortools"), ("VROOM", "vroom")) if find_spec(module))


def solved(peer: str, case: Case, seconds: float) -> list[list[int]]:
    """Its routes, as lists of clients."""
    return _ortools(case, seconds) if peer == "OR-Tools" else _vroom(case, seconds)


def _ortools(case: Case, seconds: float) -> list[list[int]]:
    from ortools.constraint_solver import pywrapcp, routing_enums_pb2

    last = case.stops + 1
    manager = pywrapcp.RoutingIndexManager(last + 1, case.vehicles, [0] * case.vehicles, [last] * case.vehicles)
    model = pywrapcp.RoutingModel(manager)
    legs, service, demand = case.legs.tolist(), case.service.tolist(), case.demand.tolist()
    node = manager.IndexToNode
    driven = model.RegisterTransitCallback(lambda a, b: legs[node(a)][node(b)])
    timed = model.RegisterTransitCallback(lambda a, b: legs[node(a)][node(b)] + service[node(a)])
    model.SetArcCostEvaluatorOfAllVehicles(driven)
    horizon = int(case.late[0])
    model.AddDimension(timed, horizon, horizon, False, "time")
    model.AddDimension(driven, 0, min(case.longest, horizon), True, "way")
    model.AddDimension(model.RegisterUnaryTransitCallback(lambda a: demand[node(a)]), 0, case.capacity, True, "load")
    time = model.GetDimensionOrDie("time")
    for stop in range(1, last):
        index = manager.NodeToIndex(stop)
        time.CumulVar(index).SetRange(int(case.early[stop]), int(case.late[stop]))
        if case.prize[stop]:
            model.AddDisjunction([index], int(case.prize[stop]))
    asked = pywrapcp.DefaultRoutingSearchParameters()
    asked.first_solution_strategy = routing_enums_pb2.FirstSolutionStrategy.PARALLEL_CHEAPEST_INSERTION
    asked.local_search_metaheuristic = routing_enums_pb2.LocalSearchMetaheuristic.GUIDED_LOCAL_SEARCH
    asked.time_limit.FromMilliseconds(int(1000 * seconds))
    found = model.SolveWithParameters(asked)
    return [_followed(model, manager, found, vehicle) for vehicle in range(case.vehicles)] if found else []


def _followed(model, manager, found, vehicle: int) -> list[int]:
    route, index = [], found.Value(model.NextVar(model.Start(vehicle)))
    while not model.IsEnd(index):
        route.append(manager.IndexToNode(index))
        index = found.Value(model.NextVar(index))
    return route


def _vroom(case: Case, seconds: float) -> list[list[int]]:
    """VROOM serves the highest priorities first (0 to 100) and knows no exchange of prizes for way."""
    import vroom

    problem = vroom.Input()
    problem.set_durations_matrix("car", case.legs.astype(np.uint32))
    top = max(int(case.prize.max()), 1)
    hours = vroom.TimeWindow(int(case.early[0]), int(case.late[0]))
    for vehicle in range(case.vehicles):
        problem.add_vehicle(
            vroom.Vehicle(vehicle, 0, case.stops + 1, profile="car", capacity=[case.capacity], time_window=hours,
                          max_travel_time=min(case.longest, int(case.late[0])))
        )  # fmt: skip
    for stop in range(1, case.stops + 1):
        window = vroom.TimeWindow(int(case.early[stop]), int(case.late[stop]))
        problem.add_job(
            vroom.Job(stop, stop, default_service=int(case.service[stop]), delivery=[int(case.demand[stop])],
                      priority=int(100 * case.prize[stop] / top), time_windows=[window])
        )  # fmt: skip
    found = problem.solve(exploration_level=5, nb_threads=1, timeout=timedelta(seconds=seconds)).routes
    jobs = found[found["type"] == "job"]
    return [group["id"].astype(int).tolist() for _, group in jobs.groupby("vehicle_id")]
