"""Care systems: records of alerts, visits and doses, by whichever way a municipality's system takes them."""
