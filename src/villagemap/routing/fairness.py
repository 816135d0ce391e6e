"""Working time spread evenly over the teams, for as little more driving as can be."""

from villagemap.routing.drafts import Draft


def balanced(draft: Draft) -> Draft:
    return draft
