"""The lab: a generated world with planted truth, in which the selection of data matters."""
