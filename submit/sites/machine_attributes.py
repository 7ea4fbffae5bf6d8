"""Attributes of machines to which REQUIREMENTS may refer.

Reference: HTCondor manual, "Machine ClassAd Attributes".
"""

import classad2

from alignsec.errors import nearest
from submit.sites.profile import SiteProfile

STANDARD = (
    *("Activity", "Arch", "AvailableGPUs", "CondorLoadAvg", "CondorVersion", "ConsoleIdle", "Cpus", "CpuFamily"),
    *("CpuModel", "CpuModelNumber", "CurrentTime", "DetectedCpus", "DetectedGPUs", "DetectedMemory", "Disk"),
    *("DynamicSlot", "FileSystemDomain", "GPUs", "GPUs_Capability", "GPUs_DeviceName", "GPUs_DriverVersion"),
    *("GPUs_GlobalMemoryMb", "GPUs_MaxSupportedVersion", "HasContainer", "HasDocker", "HasFileTransfer"),
    *(
        "HasFileTransferPluginMethods",
        "HasSelfCheckpointTransfers",
        "HasSingularity",
        "HasSIF",
        "HasTransferInputRemaps",
    ),
    *("HasUserNamespaces", "HasSandboxImage", "IsOwner", "KFlops", "KeyboardIdle", "LoadAvg", "Machine", "Memory"),
    *("Microarch", "Mips", "MyType", "Name", "OpSys", "OpSysAndVer", "OpSysMajorVer", "OpSysName", "OpSysVer"),
    *("OpSysShortName", "OpSysLongName", "PartitionableSlot", "Rank", "SingularityVersion", "SlotID", "SlotType"),
    *("SlotWeight", "Start", "StartdIpAddr", "State", "TotalCpus", "TotalDisk", "TotalGPUs", "TotalLoadAvg"),
    *("TotalMemory", "TotalSlots", "TotalVirtualMemory", "UidDomain", "Unhibernate", "VirtualMemory"),
    *("has_avx", "has_avx2", "has_avx512f", "has_sse4_1", "has_sse4_2", "has_ssse3", "CUDACapability"),
    *("CUDADeviceName", "CUDADriverVersion", "CUDAGlobalMemoryMb", "CUDAMaxSupportedVersion"),
)
"""HTCondor's own attributes of a machine."""


def unknown_attributes(expression: str, profile: SiteProfile) -> list[str]:
    """Return the machine attributes of an expression that no machine of the site advertises.

    Args:
        expression: A valid ClassAd expression; it may be empty.
        profile: The site. One that lists no attributes accepts any.
    """
    if not profile.machine_attributes or not expression.strip():
        return []
    known = {name.lower() for name in (*STANDARD, *profile.machine_attributes)}
    return [name for name in referred_attributes(expression) if name.lower() not in known]


def referred_attributes(expression: str) -> list[str]:
    """Return the machine attributes to which a valid ClassAd expression refers, without `TARGET.`."""
    if not expression.strip():
        return []
    found = classad2.ClassAd().externalRefs(classad2.ExprTree(expression))
    names = (name for name in found if not name.lower().startswith("my."))
    return [name.partition(".")[2] if name.lower().startswith("target.") else name for name in names]


def attribute_remedy(name: str, profile: SiteProfile) -> str:
    """Return a sentence with the known attributes that are similar to an unknown one."""
    return nearest(name, (*STANDARD, *profile.machine_attributes))
