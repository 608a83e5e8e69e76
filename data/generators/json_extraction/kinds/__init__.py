"""The document kinds, one module each."""

from __future__ import annotations

from . import (
    agreement,
    appointment,
    booking,
    contact,
    discharge,
    event,
    expenses,
    group_plan,
    invoice,
    job_ad,
    lost_item,
    minutes,
    order_change,
    parcel,
    service_log,
    shipment,
    ticket,
    trade,
)

KINDS = tuple(
    module.KIND
    for module in (
        contact,
        appointment,
        parcel,
        lost_item,
        event,
        invoice,
        ticket,
        job_ad,
        booking,
        service_log,
        order_change,
        minutes,
        group_plan,
        expenses,
        discharge,
        agreement,
        trade,
        shipment,
    )
)
