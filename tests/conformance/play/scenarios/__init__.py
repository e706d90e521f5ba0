from scenarios import (  # noqa: F401
    acknowledgements,
    arguments,
    callbacks,
    lifecycle,
    offers,
    operations,
    operators,
    reconciliation,
    registration,
    roles,
    tasks,
    validation,
)
