"""What the file may say: YAML comes in, one frozen `Config` goes out, or all its mistakes with their lines.

This room knows the sections of the rooms below it and builds their types; no room below it knows the Config.
"""

from collector.config.load import Config, ConfigError, load, parse
from collector.config.sources import (
    AuditEntries,
    BillSource,
    ClientLogEntries,
    ClientLogSource,
    CloudLoggingFileSource,
    CloudLoggingSource,
    CompletionLogSource,
    FileSource,
    GcpBillingFileSource,
    GcpBillingSource,
    InferenceMetadata,
    JobEntries,
    LiveSource,
    NginxSource,
    Observer,
    ProxyLog,
    RequestEntries,
    RequestResponseLog,
    SourceConfig,
    TableSource,
)

__all__ = [
    "AuditEntries",
    "BillSource",
    "ClientLogEntries",
    "ClientLogSource",
    "CloudLoggingFileSource",
    "CloudLoggingSource",
    "CompletionLogSource",
    "Config",
    "ConfigError",
    "FileSource",
    "GcpBillingFileSource",
    "GcpBillingSource",
    "InferenceMetadata",
    "JobEntries",
    "LiveSource",
    "NginxSource",
    "Observer",
    "ProxyLog",
    "RequestEntries",
    "RequestResponseLog",
    "SourceConfig",
    "TableSource",
    "load",
    "parse",
]
