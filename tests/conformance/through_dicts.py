"""Which scenarios cannot give the same trace through pymesos' API, and why."""

from __future__ import annotations

_REASONS = {
    "pymesos has no updateFramework": """
        every_call_inside_offer_rescinded update_framework_before_registration update_framework_cannot_change_everything
        update_framework_changes_roles_and_rescinds_offers update_framework_changes_what_may_change
        update_framework_suppresses_and_unsuppresses update_framework_with_a_suppressed_role_twice
        update_framework_with_another_id
    """,
    "the scenario calls updateFramework among others, which pymesos does not have": """
        calls_after_abort calls_after_stop calls_before_start messages_of_the_wrong_type too_few_and_too_many_arguments
    """,
    "pymesos cannot suppress roles from the start": "every_role_suppressed_from_the_start roles_suppressed_from_the_start",
    "abort() is stop(), and so is an exception in a callback: the framework is removed": """
        abort_leaves_tasks_running_and_calls_nothing_back
        an_update_is_not_acknowledged_when_its_callback_aborted_the_driver
        an_update_is_not_acknowledged_when_its_callback_raised
    """,
    "the adapter makes dicts of messages alone, and is strict and lenient in other places": """
        a_text_where_an_id_belongs the_constructor_refuses
    """,
    "the arguments of pymesos' calls have other names": "keyword_arguments",
    "roles are any iterable of texts, a text too": "a_text_where_roles_belong",
    "a call while the driver is not connected is ignored": """
        no_master_leads_for_a_while suppression_survives_a_disconnection
    """,
    "a framework that has its id is reregistered, whichever master leads": "the_leader_moves_to_another_master_and_back",
    "an empty list of roles means all roles": "suppress_and_revive_of_no_role_change_nothing",
    "GPU_RESOURCES is added to the capabilities": "registration_with_every_field",
    "start() raises what the classic driver tells error(), and a host alone has the port 5050": """
        a_master_that_cannot_be_understood
    """,
    "a status without agent_id raises KeyError": "acknowledgements_that_ask_for_nothing",
    "acknowledgements may be sent although they are implicit": "acknowledging_in_implicit_mode",
    "an operation may have an id, and its updates come": "an_operation_with_an_id",
}
EXCLUDED = {name: reason for reason, names in _REASONS.items() for name in names.split()}
"""The reasons, by the names of scenarios."""
ON_THE_REAL_MESOS = [
    "explicit_acknowledgements_release_the_next_update",
    "an_unacknowledged_update_comes_again_after_failover",
    "one_offer_or_a_list_of_them",
    "what_stop_takes",
    "every_call_inside_status_update",
    "a_callback_that_raises_aborts_the_driver",
    "an_executor_is_told_who_it_is",
    "an_executor_dies_of_a_signal",
    "framework_messages_of_any_bytes",
    "states_that_executors_may_tell",
    "an_update_with_fields_of_its_own",
    "calls_while_running",
    "stop_with_failover_keeps_the_framework",
    "the_form_of_an_offer",
    "offers_of_one_agent_together",
    "a_filter_blocks_only_what_was_refused_or_less",
    "resources_are_reserved_and_unreserved",
    "reservations_with_reservation_refinement",
    "an_operator_removes_the_framework",
    "maintenance_is_planned",
    "explicit_reconciliation_of_a_known_task",
    "reconciliation_after_failover",
    "failover_keeps_the_tasks",
    "a_second_scheduler_takes_over",
    "bad_frameworks_are_refused",
    "suppress_and_revive",
    "a_task_with_every_field_of_its_own",
    "a_running_task_is_killed_with_task_killing_state",
    "bad_checks",
    "bad_task_groups",
]
"""Scenarios of every kind, which the tests play through dicts on the real Mesos too."""
