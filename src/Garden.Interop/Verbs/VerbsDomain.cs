using System.Diagnostics;
using System.Runtime.InteropServices;
using System.Security.Cryptography;
using Garden.Fabric;
using Garden.Interop.Verbs.Native;

namespace Garden.Interop.Verbs;

/// <summary>One NIC: a port of a verbs device with one completion queue, two shared receive queues, and a connection for each remote NIC.</summary>
/// <remarks>
/// <para>All state is under <c>_gate</c>: the worker takes it once a call, others only to register memory, which they pin outside of it.</para>
/// <para>A write is accepted when it has a slot. It waits in its connection's list until the connection is ready, the send queue has room and,
/// where it carries an immediate, the peer has granted a receive; then it is posted with its neighbours in a chain. Nothing is posted whose
/// completion has no place in the completion queue: sends are bounded by the slots, receives by the shared queues.</para>
/// </remarks>
internal sealed unsafe partial class VerbsDomain : IFabricDomain
{
    private const int EntriesPerRead = 32;

    /// <summary>Messages under way to all peers; one peer has at most a quarter of them.</summary>
    private const int MessageSlots = 256;

    /// <summary>Control frames that are not messages: credits are told in halves of two windows, so no more than four are unread at once.</summary>
    private const int ControlReserve = 4;

    /// <summary>How long the last datagrams of a NIC that closes may take to leave it.</summary>
    private static readonly TimeSpan s_farewell = TimeSpan.FromMilliseconds(20);

    private readonly Lock _gate = new();
    private readonly VerbsOptions _options;
    private readonly IWorkerSignal _wake;
    private readonly VerbsNic _nic;
    private readonly PathResolver _paths;
    private readonly LocalRegions _regions = new();
    private readonly WriteTable _writes;
    private readonly WriteChain _chain;
    private readonly ImmediateReceives _immediates;
    private readonly MessageReceives _receives;
    private readonly MessageSends _sends;
    private readonly DatagramQueue _datagrams;
    private readonly ibv_wc* _entries;
    private readonly Queue<FabricCompletion> _backlog = new();
    private bool _failed;
    private bool _disposed;

    /// <summary>Opens a NIC.</summary>
    /// <exception cref="FabricException">It could not be opened; the message names the step and what to do.</exception>
    public VerbsDomain(DeviceName device, VerbsOptions options, IWorkerSignal wake)
    {
        _options = options;
        _wake = wake;
        int immediates = options.MaxPeers * options.ImmediateWindow;
        int messages = options.MaxPeers * (options.MessageWindow + ControlReserve);
        // Credits twice: of connections that are over and of those that take their places.
        int completions = options.QueueDepth + options.MaxPeers + MessageSlots + (2 * ControlReserve * options.MaxPeers) + immediates + messages + DatagramQueue.Completions;
        _nic = VerbsNic.Open(device, options, completions, immediates, messages);
        string where = _nic.Port.ToString();
        _entries = (ibv_wc*)NativeMemory.AlignedAlloc(EntriesPerRead * (nuint)sizeof(ibv_wc), 64);
        // One more for each peer: the answers to revocations.
        _writes = new WriteTable(options.QueueDepth + options.MaxPeers);
        _chain = new WriteChain(options.ChainLength, options.SourcePieces);
        _paths = new PathResolver(_nic, options, wake);
        try
        {
            int frame = ControlFrame.Length + options.MaxMessageLength;
            _immediates = new ImmediateReceives(_nic.Immediates, immediates, where);
            _receives = new MessageReceives(_nic.Pd, _nic.Messages, messages, frame, where);
            _sends = new MessageSends(_nic.Pd, MessageSlots, frame, where);
            _datagrams = new DatagramQueue(_nic);
        }
        catch
        {
            Release();
            throw;
        }

        ulong id = BitConverter.ToUInt64(RandomNumberGenerator.GetBytes(sizeof(ulong)));
        Address = new VerbsAddress(_nic.Port.Gid, _nic.Port.Lid, _datagrams.Number, _datagrams.Key, id).ToString();
        Capabilities = new FabricCapabilities
        {
            Completion = FabricCompletionLevel.RemoteAccepted,
            Ordered = !options.RelaxedOrdering,
            MaxWriteLength = Math.Min(options.MaxWriteLength, _nic.Port.MaxMessageLength),
            QueueDepth = options.QueueDepth,
            MaxMessageLength = options.MaxMessageLength,
            LinkGigabitsPerSecond = _nic.Port.GigabitsPerSecond,
        };
    }

    /// <inheritdoc/>
    public string Address { get; }

    /// <inheritdoc/>
    public FabricCapabilities Capabilities { get; }

    /// <inheritdoc/>
    public int WaitDescriptor => _nic.WaitDescriptor;

    /// <summary>The raw objects, for measuring the device without the engine.</summary>
    internal VerbsNic Native => _nic;

    /// <summary>For tests.</summary>
    internal IReadOnlyList<VerbsConnection> Connections => _connections;

    /// <inheritdoc/>
    public string Explain(FabricStatus status, int providerCode)
    {
        if (providerCode == 0)
            return FabricErrors.Advice(status);
        string reason = providerCode is VerbsErrors.Reset or VerbsErrors.TooManyPeers or VerbsErrors.NoPath or VerbsErrors.FlushFailed && _lastReason.Length != 0 ? $" Last heard: {_lastReason}" : "";
        return $"{_nic.Port} ({_nic.Port.Gid}): {VerbsErrors.Text(providerCode)}: {VerbsErrors.Explain(providerCode)}{reason}";
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        lock (_gate)
        {
            if (_disposed)
                return;
            if (!_failed)
                SayGoodbye();
            _disposed = true;
            Release();
        }
    }

    /// <summary>The NIC is gone: everything posted on it is reported, and nothing comes or goes any more.</summary>
    internal void Fail(int code)
    {
        lock (_gate)
        {
            if (_failed || _disposed)
                return;
            _failed = true;
            // Destroyed first: what is reported from here on is touched by nobody any more.
            _datagrams.Close();
            foreach (VerbsConnection connection in _connections.ToArray())
            {
                connection.Cause = FabricStatus.NicDown;
                connection.CauseCode = code;
                connection.Nic.Current = null;
                EndWaiting(connection, -1, FabricStatus.NicDown, code);
                Destroy(connection);
            }

            Report(FabricCompletionKind.DomainFailed, 0, -1, FabricStatus.NicDown, code);
        }
    }

    private void Report(FabricCompletionKind kind, ulong context, int route, FabricStatus status, int code) => Emit(new FabricCompletion
    {
        Kind = kind,
        Status = status,
        Route = route,
        Context = context,
        Count = 1,
        ProviderCode = code,
    });

    /// <summary>Peers hear of the end now rather than by their retry time.</summary>
    private void SayGoodbye()
    {
        foreach (VerbsConnection connection in _connections)
        {
            if (!connection.IsOver)
                SendReset(connection.Nic, connection.PeerEpoch, "its engine was disposed");
        }

        long began = Stopwatch.GetTimestamp();
        while (!_datagrams.IsIdle && !_failed && Stopwatch.GetElapsedTime(began) < s_farewell)
            Harvest();
    }

    private void Release()
    {
        _paths.Close();
        foreach (VerbsConnection connection in _connections)
        {
            connection.Data.Dispose();
            connection.Control.Dispose();
        }

        foreach (RemoteNic remote in _remotes.Values)
            FreePath(remote);
        _datagrams?.Dispose();
        _immediates?.Dispose();
        _receives?.Dispose();
        _sends?.Dispose();
        for (var mr = (ibv_mr*)_regions.RemoveAny(); mr is not null; mr = (ibv_mr*)_regions.RemoveAny())
            _ = Imports.ibv_dereg_mr(mr);
        foreach (nint stuck in _stuck.Values)
            _ = Imports.ibv_dereg_mr((ibv_mr*)stuck);
        _nic.Dispose();
        _writes.Dispose();
        _chain.Dispose();
        NativeMemory.AlignedFree(_entries);
    }
}
