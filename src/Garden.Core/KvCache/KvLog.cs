using Microsoft.Extensions.Logging;

namespace Garden.KvCache;

/// <summary>Log messages of the KV protocol; event ids are stable.</summary>
internal static partial class KvLog
{
    [LoggerMessage(2001, LogLevel.Information, "Prefiller {Address} accepted the handshake.")]
    public static partial void HandshakeAccepted(ILogger logger, NetAddress address);

    [LoggerMessage(2002, LogLevel.Warning, "Decoder {Address} was refused: {Reason}")]
    public static partial void HandshakeRefused(ILogger logger, NetAddress address, string reason);

    [LoggerMessage(2003, LogLevel.Debug, "A KV message of {Address} was ignored: {Reason}")]
    public static partial void MessageIgnored(ILogger logger, NetAddress address, string reason);

    [LoggerMessage(2004, LogLevel.Warning, "Request {Sequence} of {Address} was stopped: {Reason}")]
    public static partial void RequestStopped(ILogger logger, ulong sequence, NetAddress address, string reason);

    [LoggerMessage(2005, LogLevel.Error, "{Pages} pages of request {Sequence} are leaked: {Address} did not confirm within {Seconds} s that nothing can land in them any more.")]
    public static partial void PagesLeaked(ILogger logger, int pages, ulong sequence, NetAddress address, double seconds);

    [LoggerMessage(2006, LogLevel.Error, "The writes of request {Sequence} did not drain; {Pages} source pages are leaked.")]
    public static partial void SourceLeaked(ILogger logger, ulong sequence, int pages);

    [LoggerMessage(2007, LogLevel.Warning, "A reply to {Address} was lost: {Reason}")]
    public static partial void ReplyLost(ILogger logger, NetAddress address, string reason);
}
