using Garden.Fabric;
using Garden.Interop.Libfabric;

namespace Garden.Interop.Host;

/// <summary>A NIC without an engine or a thread that says hello as an engine would.</summary>
internal sealed class BareEndpoint : IDisposable
{
    private readonly IFabricDomain _domain;
    private readonly uint _index;
    private readonly ulong _session;

    public BareEndpoint(int index, string bind)
    {
        _index = (uint)index;
        _session = (ulong)index + 1;
        var options = TcpOptions.At(bind) with { QueueDepth = 1, MessageDepth = 4, ReceiveDepth = 4, MaxMessageLength = 512 };
        _domain = new TcpFabric(options).Open(new FabricOpenContext((ulong)index, 0, new NoSignal()))[0];
    }

    /// <summary>Acceptances that named this endpoint.</summary>
    public int Acceptances { get; private set; }

    /// <summary>Messages that should not have come.</summary>
    public int Others { get; private set; }

    public void SayHello(string nic)
    {
        byte[] body = new HelloBody(_index, _session, 0xE000_0000 + _index, $"tcp://{_domain.Address}", "").ToBytes();
        byte[] message = new byte[ControlHeader.Length + body.Length];
        new ControlHeader(ControlHeader.ProtocolVersion, ControlKind.Hello, ControlHeader.NoPeer, 0, 0).Write(message);
        body.CopyTo(message, ControlHeader.Length);
        if (!_domain.TrySend(_domain.OpenRoute(nic), message, 1))
            throw new InvalidOperationException($"Endpoint {_index}: the hello was not taken.");
    }

    public unsafe void Poll()
    {
        Span<FabricCompletion> completions = stackalloc FabricCompletion[4];
        foreach (ref readonly FabricCompletion completion in completions[.._domain.Poll(completions)])
        {
            if (completion.Kind == FabricCompletionKind.MessageSent)
            {
                if (completion.Status != FabricStatus.Ok)
                    throw new InvalidOperationException($"Endpoint {_index}: the hello ended as {completion.Status}.");
                continue;
            }

            // Safe: the domain's buffer is this long and stays until it is given back.
            var message = new ReadOnlySpan<byte>((void*)completion.Message, completion.MessageLength);
            bool named = ControlHeader.TryParse(message, out ControlHeader header) && header.Peer == _index && header.Session == _session;
            if (named && header.Kind == ControlKind.Accept)
                Acceptances++;
            else if (!named || header.Kind != ControlKind.Heartbeat)
                Others++;
            _domain.ReturnMessage(in completion);
        }
    }

    public void Dispose() => _domain.Dispose();

    /// <summary>Nobody parks.</summary>
    private sealed class NoSignal : IWorkerSignal
    {
        public void Wake()
        {
        }
    }
}
