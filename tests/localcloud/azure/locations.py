# SPDX-License-Identifier: GPL-3.0-or-later
"""Regions: their names, where they lie and whether they have availability zones."""

from __future__ import annotations

from dataclasses import dataclass

from .wire import Body, Call, Reply


@dataclass(frozen=True)
class Region:
    name: str
    display: str
    geography: str
    group: str
    latitude: str
    longitude: str
    zones: int = 3
    paired: str = ""


REGIONS = (
    Region("eastus", "East US", "United States", "US", "37.3719", "-79.8164", paired="westus"),
    Region("eastus2", "East US 2", "United States", "US", "36.6681", "-78.3889", paired="centralus"),
    Region("centralus", "Central US", "United States", "US", "41.5908", "-93.6208", paired="eastus2"),
    Region("northcentralus", "North Central US", "United States", "US", "41.8819", "-87.6278", 0, "southcentralus"),
    Region("southcentralus", "South Central US", "United States", "US", "29.4167", "-98.5", paired="northcentralus"),
    Region("westus", "West US", "United States", "US", "37.783", "-122.417", 0, "eastus"),
    Region("westus2", "West US 2", "United States", "US", "47.233", "-119.852", paired="westcentralus"),
    Region("westus3", "West US 3", "United States", "US", "33.448457", "-112.073844", paired="eastus"),
    Region("northeurope", "North Europe", "Europe", "Europe", "53.3478", "-6.2597", paired="westeurope"),
    Region("westeurope", "West Europe", "Europe", "Europe", "52.3667", "4.9", paired="northeurope"),
    Region("uksouth", "UK South", "United Kingdom", "Europe", "50.941", "-0.799", paired="ukwest"),
    Region("germanywestcentral", "Germany West Central", "Germany", "Europe", "50.110924", "8.682127"),
    Region("swedencentral", "Sweden Central", "Sweden", "Europe", "60.67488", "17.14127"),
    Region("southeastasia", "Southeast Asia", "Asia Pacific", "Asia Pacific", "1.283", "103.833", paired="eastasia"),
    Region("japaneast", "Japan East", "Japan", "Asia Pacific", "35.68", "139.77", paired="japanwest"),
    Region("australiaeast", "Australia East", "Australia", "Asia Pacific", "-33.86", "151.2094"),
)
BY_NAME = {region.name: region for region in REGIONS}
NAMES = ",".join(BY_NAME)


def normalise(location: object) -> str:
    """'East US 2' and 'eastus2' are the same place."""
    return "".join(str(location or "").split()).lower()


def known(location: object) -> str | None:
    name = normalise(location)
    return name if name in BY_NAME else None


def list_locations(call: Call) -> Reply:
    return Reply(200, {"value": [_answer(call["sub"], region) for region in REGIONS]})


def _answer(subscription: str, region: Region) -> Body:
    identity = f"/subscriptions/{subscription}/locations/"
    body: Body = {
        "id": identity + region.name,
        "name": region.name,
        "type": "Region",
        "displayName": region.display,
        "regionalDisplayName": f"({region.group}) {region.display}",
        "metadata": {
            "regionType": "Physical",
            "regionCategory": "Recommended" if region.zones else "Other",
            "geography": region.geography,
            "geographyGroup": region.group,
            "longitude": region.longitude,
            "latitude": region.latitude,
            "physicalLocation": region.display,
        },
    }
    if region.paired:
        body["metadata"]["pairedRegion"] = [{"name": region.paired, "id": identity + region.paired}]
    if region.zones:
        body["availabilityZoneMappings"] = [
            {"logicalZone": str(zone), "physicalZone": f"{region.name}-az{zone}"} for zone in range(1, region.zones + 1)
        ]
    return body
