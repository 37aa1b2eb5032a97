"""Addresses of pages as people outside give them to one another."""

from starlette.requests import Request

from gateway.service.gateway import Gateway


def site_url(request: Request, gateway: Gateway) -> str:
    """Return where the service is reached, without what only a share link's holder knows."""
    if gateway.settings.base_url is not None:
        return gateway.settings.base_url
    return f"{request.url.scheme}://{request.url.netloc}"


def dataset_url(request: Request, gateway: Gateway, dataset: str) -> str:
    """Return the address of the page of a dataset."""
    return f"{site_url(request, gateway)}/d/{dataset}"
