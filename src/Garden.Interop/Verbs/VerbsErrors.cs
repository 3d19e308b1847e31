using System.Runtime.InteropServices;
using Garden.Fabric;
using Garden.Interop.Verbs.Native;

namespace Garden.Interop.Verbs;

/// <summary>The error catalogue of verbs: statuses of completions, error numbers of calls, and the domain's own codes.</summary>
internal static unsafe class VerbsErrors
{
    /// <summary>Codes from here on are an errno plus this.</summary>
    public const int FirstErrno = 10_000;

    /// <summary>The remote NIC answered no offer in <see cref="VerbsOptions.ConnectTimeout"/>.</summary>
    public const int NoAnswer = 1000;

    /// <summary>The remote NIC said that the connection is over, or refused it.</summary>
    public const int Reset = 1001;

    /// <summary>The remote NIC offered a newer connection, so it has given this one up.</summary>
    public const int Replaced = 1002;

    /// <summary>The peer was fenced out here.</summary>
    public const int Fenced = 1003;

    /// <summary>All connections this NIC may have are in use.</summary>
    public const int TooManyPeers = 1004;

    /// <summary>The port is not active.</summary>
    public const int PortDown = 1005;

    /// <summary>The remote NIC's address does not resolve to a way there.</summary>
    public const int NoPath = 1006;

    /// <summary>A region was taken back, and the remote NIC did not confirm that it writes there no more.</summary>
    public const int Unrevoked = 1007;

    /// <summary>What a NIC wrote to device memory could not be made visible to the GPU.</summary>
    public const int FlushFailed = 1008;

    /// <summary>How an operation ended whose completion has this status.</summary>
    public static FabricStatus StatusOf(int code) => code switch
    {
        IBV.IBV_WC_SUCCESS => FabricStatus.Ok,
        IBV.IBV_WC_REM_ACCESS_ERR => FabricStatus.RemoteAccess,
        IBV.IBV_WC_LOC_PROT_ERR or IBV.IBV_WC_LOC_ACCESS_ERR => FabricStatus.LocalAccess,
        IBV.IBV_WC_RETRY_EXC_ERR or IBV.IBV_WC_RNR_RETRY_EXC_ERR or IBV.IBV_WC_REM_ABORT_ERR or IBV.IBV_WC_REM_OP_ERR => FabricStatus.RouteDown,
        IBV.IBV_WC_FATAL_ERR or PortDown or FlushFailed => FabricStatus.NicDown,
        IBV.IBV_WC_WR_FLUSH_ERR => FabricStatus.Flushed,
        NoAnswer or Reset or Replaced or Fenced or TooManyPeers or NoPath or Unrevoked => FabricStatus.RouteDown,
        _ => FabricStatus.ProviderError,
    };

    /// <summary>The library's or the system's text for a code.</summary>
    public static string Text(int code) => code switch
    {
        >= FirstErrno => Marshal.GetPInvokeErrorMessage(code - FirstErrno),
        NoAnswer => "no answer to connection offers",
        Reset => "connection ended by the peer",
        Replaced => "connection replaced by the peer",
        Fenced => "peer fenced out",
        TooManyPeers => "no connection left",
        PortDown => "port not active",
        NoPath => "no path to the address",
        Unrevoked => "no answer to the end of a region",
        FlushFailed => "device memory not flushed",
        _ => Marshal.PtrToStringUTF8((nint)Imports.ibv_wc_status_str(code)) ?? "unknown status",
    };

    /// <summary>What a code most likely means here and what to look at next.</summary>
    public static string Explain(int code) => code switch
    {
        0 => "",
        IBV.IBV_WC_LOC_LEN_ERR => "a message is longer than the peer's buffers; set VerbsOptions.MaxMessageLength alike on both sides.",
        IBV.IBV_WC_LOC_QP_OP_ERR => "the NIC refused a request as malformed; `dmesg | tail` has its driver's words.",
        IBV.IBV_WC_LOC_PROT_ERR or IBV.IBV_WC_LOC_ACCESS_ERR => "the source was unregistered while writes from it were under way; unregister after they have ended.",
        IBV.IBV_WC_WR_FLUSH_ERR => "the queue pair had failed before; the first failure on it says why.",
        IBV.IBV_WC_REM_ACCESS_ERR => "the peer has unregistered or renewed the region, or the descriptor is another engine's; ask the peer for a new one.",
        IBV.IBV_WC_REM_INV_REQ_ERR or IBV.IBV_WC_REM_OP_ERR => "the peer's NIC could not carry the request out; look at its `dmesg | tail` and `rdma statistic`.",
        IBV.IBV_WC_RETRY_EXC_ERR => "the peer's NIC did not acknowledge in the retry time (VerbsOptions.RetryTime): it is gone, cut off, or drops packets; look at `rdma link`, `ping` between the ports' addresses, and on RoCE at PFC/ECN counters (`ethtool -S`).",
        IBV.IBV_WC_RNR_RETRY_EXC_ERR => "the peer had no receive posted although it had granted one; report this with both sides' VerbsOptions.",
        IBV.IBV_WC_FATAL_ERR => "the device failed; `dmesg | tail` has its driver's words.",
        NoAnswer => "nobody answers at the address: the engine is not running, does not poll, or a firewall drops UDP port 4791 (RoCE); compare it with the peer's TransferEngine.Address and try `ib_write_bw` between the hosts.",
        Reset => "the peer's engine closed or failed the connection; its log has the cause.",
        Replaced => "the peer has connected anew; connect again as well.",
        Fenced => "this engine gave the peer up; see Peer.Failure.",
        TooManyPeers => "close some peers or raise VerbsOptions.MaxPeers; each takes receive buffers.",
        PortDown => "the local port has no link; look at `rdma link` and `ip link`.",
        NoPath => "the local port has no route to the address; both ends need the same link layer and GID family (`show_gids`, `rdma link`, `ip route get`).",
        Unrevoked => "the peer did not say within 2 s that it writes no more to a region that was unregistered or renewed here: its engine does not poll, or its process is stopped.",
        FlushFailed => "the CUDA context of a registered region is gone or has failed; dispose the engine before the context.",
        FirstErrno + LibC.ENOMEM => "memory could not be pinned: raise the limit (`ulimit -l unlimited`, LimitMEMLOCK= in systemd), or free memory.",
        FirstErrno + LibC.EOPNOTSUPP => "the device does not offer that.",
        FirstErrno + LibC.ETIMEDOUT => "the address did not resolve; look at `ip neigh` and `ping`.",
        _ => "`dmesg | tail` and `rdma resource` say more.",
    };

    /// <summary>Throws when a call returned an error number.</summary>
    /// <exception cref="FabricException">It did; the message names the call and what to do.</exception>
    public static void Check(int errno, string call, string where)
    {
        if (errno != 0)
            Throw(Math.Abs(errno), call, where);
    }

    /// <summary>Throws when a call that makes something returned nothing.</summary>
    /// <exception cref="FabricException">It did; the message names the call and what to do.</exception>
    public static void Check(void* made, string call, string where)
    {
        if (made is null)
            Throw(Marshal.GetLastPInvokeError(), call, where);
    }

    [System.Diagnostics.CodeAnalysis.DoesNotReturn]
    private static void Throw(int errno, string call, string where)
    {
        int code = FirstErrno + errno;
        throw new FabricException($"{call} failed for {where}: {Text(code)} ({errno}): {Explain(code)}", StatusOf(code), code);
    }
}
