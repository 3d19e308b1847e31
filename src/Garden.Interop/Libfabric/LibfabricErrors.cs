using Garden.Fabric;
using Garden.Interop.Libfabric.Native;

namespace Garden.Interop.Libfabric;

/// <summary>libfabric's error codes in the engine's terms, with what to look at next.</summary>
internal static unsafe class LibfabricErrors
{
    /// <summary>How an operation ended that reported this (positive) code.</summary>
    public static FabricStatus StatusOf(int code) => code switch
    {
        0 => FabricStatus.Ok,
        FI.FI_EACCES or FI.FI_EFAULT or FI.FI_EKEYREJECTED or FI.FI_ENOKEY or FI.FI_EREMOTEIO => FabricStatus.RemoteAccess,
        // A connection that breaks cancels what was on it (tcp); the other codes name the way it broke.
        FI.FI_ECANCELED or FI.FI_ECONNABORTED or FI.FI_ECONNRESET or FI.FI_ECONNREFUSED or FI.FI_ENOTCONN or FI.FI_ESHUTDOWN
            or FI.FI_ETIMEDOUT or FI.FI_EHOSTDOWN or FI.FI_EHOSTUNREACH or FI.FI_ENETUNREACH or FI.FI_EIO or FI.FI_ENOENT or FI.FI_ENORX => FabricStatus.RouteDown,
        FI.FI_ENODEV or FI.FI_ENETDOWN => FabricStatus.NicDown,
        _ => FabricStatus.ProviderError,
    };

    /// <summary>The library's text for a (positive) code.</summary>
    public static string Text(int code) => ProviderAttributes.Text(Imports.fi_strerror(code));

    /// <summary>What a code most likely means here and what to look at next.</summary>
    public static string Explain(int code) => code switch
    {
        0 => "",
        FI.FI_ECANCELED => "the connection broke under it: the peer has gone, or closed it because a write had a stale key or left its region.",
        FI.FI_ETIMEDOUT => "the peer took nothing for as long as LibfabricTuning.RouteTimeout: it is not there, hangs, or does not poll.",
        FI.FI_ECONNREFUSED => "nobody listens at the address; compare it with the peer's TransferEngine.Address.",
        FI.FI_ENOMEM => "memory could not be pinned or allocated; look at `ulimit -l` and free memory.",
        FI.FI_EADDRNOTAVAIL => "no interface of this host has the bind address; `ip -br addr` lists them.",
        FI.FI_ENODATA => "no provider offers that; `fi_info -l` lists what is installed.",
        FI.FI_ENORX => "the peer has posted too few receive buffers; raise its ReceiveDepth.",
        FI.FI_EMSGSIZE => "a message is longer than the peer's buffers; set LibfabricTuning.MaxMessageLength alike on both sides.",
        FI.FI_EOVERRUN => "the completion queue ran over; raise QueueDepth on this side.",
        _ => "FI_LOG_LEVEL=warn in the environment makes libfabric say more.",
    };

    /// <summary>Throws what a call that must succeed returned.</summary>
    /// <exception cref="FabricException">It is negative.</exception>
    public static void Check(nint result, string call, string where)
    {
        if (result >= 0)
            return;
        int code = (int)-result;
        throw new FabricException($"{call} failed for {where}: {Text(code)} ({code}): {Explain(code)}", StatusOf(code), code);
    }
}
