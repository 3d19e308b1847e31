using Microsoft.Extensions.Logging;

namespace Garden;

/// <summary>Log messages of the engine; event ids are stable.</summary>
internal static partial class GardenLog
{
    [LoggerMessage(1001, LogLevel.Error, "A {Callback} threw on the worker; the engine goes on.")]
    public static partial void CallbackFailed(ILogger logger, string callback, Exception exception);

    [LoggerMessage(1002, LogLevel.Critical, "The worker of device {Device} met an error it cannot go on from.")]
    public static partial void WorkerFaulted(ILogger logger, int device, Exception exception);

    [LoggerMessage(1003, LogLevel.Information, "Peer {Address} is ready, epoch {Epoch}, {Lanes} lanes.")]
    public static partial void PeerReady(ILogger logger, NetAddress address, int epoch, int lanes);

    [LoggerMessage(1004, LogLevel.Warning, "Peer {Address} has failed: {Reason}")]
    public static partial void PeerFailed(ILogger logger, NetAddress address, string reason);

    [LoggerMessage(1005, LogLevel.Warning, "NIC {Nic} of device {Device} has failed; its lanes are closed.")]
    public static partial void NicFailed(ILogger logger, int device, string nic);

    [LoggerMessage(1006, LogLevel.Warning, "A transfer failed: {Reason}")]
    public static partial void TransferFailed(ILogger logger, string reason);

    [LoggerMessage(1007, LogLevel.Warning, "A message was dropped: {Reason}")]
    public static partial void MessageDropped(ILogger logger, string reason);

    [LoggerMessage(1009, LogLevel.Error, "The worker of device {Device} did not end; its memory and NICs are leaked.")]
    public static partial void WorkerLeaked(ILogger logger, int device);

    [LoggerMessage(1008, LogLevel.Error, "{Count} posted writes did not drain in time; their source memory stays leased.")]
    public static partial void DrainFailed(ILogger logger, int count);
}
