"""Who observed: the reader where one answers for the content, and always the program."""

from __future__ import annotations

from typing import Any

from neuraxis.interop.identity import MANUFACTURER, Authorship, software_version


def observer_contexts(authorship: Authorship) -> tuple[Any | None, Any]:
    """Person and device observer contexts (TID 1002); no person where no author is named."""
    import highdicom as hd
    from pydicom.sr.codedict import codes

    author = authorship.author
    person = None
    if author is not None:
        person = hd.sr.ObserverContext(
            codes.DCM.Person,
            hd.sr.PersonObserverIdentifyingAttributes(
                name=author.name, login_name=author.login or None, organization_name=author.organization or None
            ),
        )
    device = hd.sr.ObserverContext(
        codes.DCM.Device,
        hd.sr.DeviceObserverIdentifyingAttributes(
            uid=authorship.uids.uid("device"), name=MANUFACTURER, manufacturer_name=MANUFACTURER,
            model_name=software_version(),
        ),
    )
    return person, device
