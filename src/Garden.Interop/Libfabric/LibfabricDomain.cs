using System.Diagnostics;
using System.Runtime.InteropServices;
using System.Security.Cryptography;
using Garden.Fabric;
using Garden.Interop.Libfabric.Native;

namespace Garden.Interop.Libfabric;

/// <summary>One NIC of a libfabric provider: an endpoint of type FI_EP_RDM with one completion queue and one address vector.</summary>
/// <remarks>
/// <para>The provider is opened for one thread at a time (FI_THREAD_DOMAIN) and <c>_gate</c> sees to that: the worker takes it once a
/// call, others only to register memory. All state here is under it.</para>
/// <para>A write is accepted when it has a slot. What the provider does not take at once (no connection yet, queues full) waits in
/// its route and is offered again by each poll, messages before writes. Messages are acknowledged by the receiving domain when
/// their buffers are free again: that ends them, and bounds what a sender has under way.</para>
/// </remarks>
internal sealed unsafe partial class LibfabricDomain : IFabricDomain
{
    private const int SignalBytes = 4096;
    private const int EntriesPerRead = 128;

    private readonly Lock _gate = new();
    private readonly ProviderTraits _traits;
    private readonly IWorkerSignal _wake;
    private readonly LibfabricTuning _tuning;
    private readonly NativeNic _nic;
    private readonly LocalRegions _regions = new();
    private readonly WriteSlots _writes;
    private readonly MessageSlots _messages;
    private readonly ReceiveBuffers _receives;
    private readonly Queue<FabricCompletion> _backlog = new();
    private readonly NativeBuffer _signal = new(SignalBytes);
    private readonly WriteArguments* _arguments;
    private readonly fi_cq_data_entry* _entries;
    private readonly byte[] _addressBytes;
    private readonly ulong _id;
    private readonly long _routeTimeout;
    private readonly ulong _writeFlags;
    private readonly void* _messageDescriptor;
    private readonly void* _receiveDescriptor;
    private readonly void* _signalDescriptor;
    private readonly string _where;
    private bool _failed;
    private bool _disposed;

    /// <summary>Opens a NIC on what a provider offered.</summary>
    /// <exception cref="FabricException">It could not be opened; the message names the step and what to do.</exception>
    public LibfabricDomain(fi_info* info, ProviderTraits traits, LibfabricTuning tuning, IReadOnlyList<EndpointOption> options, IWorkerSignal wake)
    {
        _wake = wake;
        _traits = traits;
        _tuning = tuning;
        _where = traits.Where;
        _writeFlags = FI.FI_COMPLETION | traits.WriteFlags | (traits.AlwaysImmediate ? FI.FI_REMOTE_CQ_DATA : 0);
        _routeTimeout = (long)(tuning.RouteTimeout.TotalSeconds * Stopwatch.Frequency);
        Span<byte> id = stackalloc byte[sizeof(ulong)];
        RandomNumberGenerator.Fill(id);
        _id = BitConverter.ToUInt64(id);
        _writes = new WriteSlots(tuning.QueueDepth);
        int frame = MessageFrame.HeaderLength + MessageFrame.MaxAddressLength + tuning.MaxMessageLength;
        _messages = new MessageSlots(tuning.MessageDepth, frame);
        _receives = new ReceiveBuffers(tuning.ReceiveDepth, frame);
        _arguments = (WriteArguments*)NativeMemory.AlignedAlloc((nuint)sizeof(WriteArguments), 64);
        NativeMemory.Clear(_arguments, (nuint)sizeof(WriteArguments));
        _entries = (fi_cq_data_entry*)NativeMemory.AlignedAlloc(EntriesPerRead * (nuint)sizeof(fi_cq_data_entry), 64);
        try
        {
            // Room for everything that can end at once, and for immediates that come before they are read.
            int completions = tuning.QueueDepth + tuning.MessageDepth + tuning.ReceiveDepth + 4096;
            _nic = NativeNic.Open(info, traits, completions, options);
            PrepareArguments();
            if (traits.NeedsLocalDescriptors)
            {
                _messageDescriptor = RegisterOwn(_messages.Buffers, _messages.Bytes);
                _receiveDescriptor = RegisterOwn(_receives.Buffers, _receives.Bytes);
            }

            fid_mr* signal = RegisterNative((nint)_signal.Pointer, SignalBytes, MemoryKind.Host);
            _regions.Add(signal, signal->mem_desc, (nint)_signal.Pointer, SignalBytes);
            _signalDescriptor = signal->mem_desc;
            var address = new LibfabricAddress(_nic.GetName(), signal->key, RemoteBaseOf((nint)_signal.Pointer), tuning.MaxMessageLength);
            Address = address.Format(traits.Attributes.AddressFormat);
            _addressBytes = System.Text.Encoding.ASCII.GetBytes(Address);
            if (_addressBytes.Length > MessageFrame.MaxAddressLength)
                throw new FabricException($"The address of {_where} has {_addressBytes.Length} characters; an address has at most {MessageFrame.MaxAddressLength}.");
            for (int i = 0; i < _receives.Count; i++)
            {
                int code = TryPostReceive(i);
                if (code == FI.FI_EAGAIN)
                    _unposted.Enqueue(i);
                else
                    LibfabricErrors.Check(-code, "fi_recv", _where);
            }
        }
        catch
        {
            Release();
            throw;
        }

        Capabilities = new FabricCapabilities
        {
            Completion = traits.Completion,
            Ordered = traits.Ordered,
            // One write is never more than what may be under way: nothing would end while it is.
            MaxWriteLength = Math.Min(Math.Min(tuning.MaxWriteLength, traits.MaxBytesInFlight), traits.Attributes.MaxMessageSize),
            QueueDepth = tuning.QueueDepth,
            MaxMessageLength = tuning.MaxMessageLength,
            LinkGigabitsPerSecond = traits.Attributes.LinkGigabitsPerSecond,
            FencesPeers = false,
            TellsRefusedWrites = traits.TellsRefusedWrites,
        };
        if (traits.SharesMemory)
            Neighbours.Add(this);
    }

    /// <inheritdoc/>
    public string Address { get; }

    /// <inheritdoc/>
    public FabricCapabilities Capabilities { get; }

    /// <inheritdoc/>
    public int WaitDescriptor => _nic.WaitDescriptor;

    /// <summary>The raw objects, for measuring the provider without the engine.</summary>
    internal NativeNic Native => _nic;

    /// <summary>How the provider is worked with.</summary>
    internal ProviderTraits Traits => _traits;

    /// <inheritdoc/>
    public string Explain(FabricStatus status, int providerCode) => providerCode == 0
        ? FabricErrors.Advice(status)
        : $"{FabricErrors.Advice(status)} The provider says: {LibfabricErrors.Text(providerCode)}{_lastDetail?.Of(providerCode)}: {LibfabricErrors.Explain(providerCode)}";

    /// <inheritdoc/>
    public void Dispose()
    {
        lock (_gate)
        {
            if (_disposed)
                return;
            _disposed = true;
        }

        Withdraw();
        lock (_gate)
            Release();
    }

    /// <summary>The NIC is gone: everything posted on it is reported, and nothing comes or goes any more.</summary>
    internal void Fail(int code)
    {
        lock (_gate)
        {
            if (_failed || _disposed)
                return;
            _failed = true;
        }

        Withdraw();
        lock (_gate)
            ReportFailure(code);
    }

    /// <summary>Closes the endpoint. Where it shares memory with others of this process, they let go of it first.</summary>
    private void Withdraw()
    {
        if (_traits.SharesMemory)
            Neighbours.Remove(this);
        lock (_gate)
            _nic.CloseEndpoint();
    }

    private void ReportFailure(int code)
    {
        for (int i = 0; i < _writes.Count; i++)
        {
            if (!_writes.IsInUse(i))
                continue;
            Report(FabricCompletionKind.Write, _writes[i].Context, _writes.RouteOf(i).Index, FabricStatus.NicDown, code);
            _writes.Return(i);
        }

        for (int i = 0; i < _messages.Count; i++)
        {
            _messages[i].IsWithProvider = false;
            EndMessage(i, FabricStatus.NicDown, code);
        }

        _waiting.Clear();
        Report(FabricCompletionKind.DomainFailed, 0, -1, FabricStatus.NicDown, code);
    }

    private void Report(FabricCompletionKind kind, ulong context, int route, FabricStatus status, int code) => _backlog.Enqueue(new FabricCompletion
    {
        Kind = kind,
        Status = status,
        Route = route,
        Context = context,
        Count = 1,
        ProviderCode = code,
    });

    private void Release()
    {
        _nic?.CloseEndpoint();
        for (var mr = (fid_mr*)_regions.RemoveAny(); mr is not null; mr = (fid_mr*)_regions.RemoveAny())
            Calls.fi_close(&mr->fid);
        _nic?.Dispose();
        _writes.Dispose();
        _messages.Dispose();
        _receives.Dispose();
        _signal.Dispose();
        NativeMemory.AlignedFree(_arguments);
        NativeMemory.AlignedFree(_entries);
    }
}
