namespace Garden.Fabric.Simulation;

/// <summary>
/// NICs and the network between them in virtual time: who sends how many bytes to whom, and when they have arrived.
/// </summary>
/// <remarks>
/// <para>
/// Each NIC sends and receives at its bandwidth. It serves its receivers in turn, a quantum each, and has no more than a window on
/// the way to any of them, so that it goes on with others when one is slow; a receiver takes quanta in the order in which they
/// were sent. Between the NICs there is latency and no bottleneck: a full-bisection network that loses nothing.
/// </para>
/// <para>Moves no bytes; the simulated fabric does that on top. Belongs to the clock's thread.</para>
/// </remarks>
public sealed class SimulatedNetwork : ISimulationHandler
{
    // An argument of the clock is a NIC, a flow or a message, and what it is about in the lowest two bits.
    private const int Free = 0, Window = 1, Arrive = 2;

    private readonly Random _random;
    private readonly List<SimulatedNic> _nics = [];
    private readonly List<SimulatedFlow> _flows = [];
    private readonly Queue<int> _freeMessages = new();
    private Message[] _messages = new Message[64];
    private int _messageCount;

    /// <summary>A network.</summary>
    /// <param name="clock">Its time.</param>
    /// <param name="seed">Of all that is random.</param>
    public SimulatedNetwork(SimulationClock clock, int seed = 0)
    {
        ArgumentNullException.ThrowIfNull(clock);
        Clock = clock;
        _random = new Random(seed);
    }

    /// <summary>Its time.</summary>
    public SimulationClock Clock { get; }

    /// <summary>The NICs, by number.</summary>
    public IReadOnlyList<SimulatedNic> Nics => _nics;

    /// <summary>Adds a NIC.</summary>
    /// <exception cref="FabricException">An option is out of range.</exception>
    public SimulatedNic AddNic(SimulatedNicOptions options)
    {
        ArgumentNullException.ThrowIfNull(options);
        options.Validate();
        var nic = new SimulatedNic(_nics.Count, options);
        _nics.Add(nic);
        return nic;
    }

    /// <summary>
    /// Sends bytes from one NIC to another. <paramref name="arrived"/> is told at the time when the last one has arrived; when either
    /// NIC has failed by then, <see cref="SimulatedNic.IsFailed"/> says so.
    /// </summary>
    public void Send(SimulatedNic from, SimulatedNic to, long bytes, ISimulationHandler arrived, long argument)
    {
        ArgumentNullException.ThrowIfNull(from);
        ArgumentNullException.ThrowIfNull(to);
        ArgumentOutOfRangeException.ThrowIfNegative(bytes);
        if (!_freeMessages.TryDequeue(out int slot))
        {
            slot = _messageCount++;
            if (slot == _messages.Length)
                Array.Resize(ref _messages, 2 * slot);
        }

        long jitter = from.Jitter == 0 ? 0 : _random.NextInt64(from.Jitter + 1);
        _messages[slot] = new Message(bytes, bytes, jitter, arrived, argument, -1);
        SimulatedFlow flow = FlowOf(from, to);
        if (flow.First < 0)
            flow.First = slot;
        else
            _messages[flow.Last].Next = slot;
        flow.Last = slot;
        Offer(flow);
        Pump(from);
    }

    /// <inheritdoc/>
    void ISimulationHandler.Handle(long argument)
    {
        if ((argument & 3) == Arrive)
        {
            int slot = (int)(argument >> 2);
            (ISimulationHandler arrived, long tag) = (_messages[slot].Arrived, _messages[slot].Argument);
            _messages[slot] = default;
            _freeMessages.Enqueue(slot);
            arrived.Handle(tag);
            return;
        }

        if ((argument & 3) == Window)
        {
            SimulatedFlow flow = _flows[(int)(argument >> 2)];
            flow.IsOffered = false;
            Offer(flow);
            Pump(flow.From);
            return;
        }

        SimulatedNic nic = _nics[(int)(argument >> 2)];
        nic.IsSending = false;
        Pump(nic);
    }

    private SimulatedFlow FlowOf(SimulatedNic from, SimulatedNic to)
    {
        if (from.Flows.Length <= to.Number)
            Array.Resize(ref from.Flows, _nics.Count);
        ref int index = ref from.Flows[to.Number];
        if (index == 0)
        {
            _flows.Add(new SimulatedFlow(_flows.Count, from, to));
            index = _flows.Count;
        }

        return _flows[index - 1];
    }

    /// <summary>Puts a flow in its sender's turn when it has something to send, now or as soon as its window has room.</summary>
    private void Offer(SimulatedFlow flow)
    {
        if (flow.IsOffered || flow.First < 0)
            return;
        flow.IsOffered = true;
        if (flow.HasWindow(Clock.Now, out long opens))
            flow.From.Turn.Enqueue(flow.Index);
        else
            Clock.Schedule(opens, this, ((long)flow.Index << 2) | Window);
    }

    /// <summary>Sends the next quantum of a NIC that is not sending.</summary>
    private void Pump(SimulatedNic nic)
    {
        if (nic.IsSending || !nic.Turn.TryDequeue(out int index))
            return;
        SimulatedFlow flow = _flows[index];
        flow.IsOffered = false;
        int slot = flow.First;
        ref Message message = ref _messages[slot];
        long quantum = Math.Min(message.Left, nic.Options.QuantumBytes), now = Clock.Now;
        long cost = message.Left == message.Bytes ? nic.OperationCost : 0;
        long sent = now + cost + SimulationClock.TimeOf(quantum, nic.Rate);
        // The receiver takes it while it arrives, behind what was sent to it before.
        SimulatedNic to = flow.To;
        long taken = Math.Max(now + cost + nic.Latency, to.ReceiverFree) + SimulationClock.TimeOf(quantum, to.Rate);
        taken = Math.Max(taken, sent + nic.Latency);
        to.ReceiverFree = taken;
        to.BytesReceived += quantum;
        nic.BytesSent += quantum;
        nic.SendingTime += sent - now;
        to.ReceivingTime += SimulationClock.TimeOf(quantum, to.Rate);
        message.Left -= quantum;
        flow.Sent(quantum, taken + nic.Latency);
        nic.IsSending = true;
        Clock.Schedule(sent, this, ((long)nic.Number << 2) | Free);
        if (message.Left == 0)
        {
            flow.First = message.Next;
            Clock.Schedule(taken + message.Jitter, this, ((long)slot << 2) | Arrive);
        }

        Offer(flow);
    }

    private struct Message(long bytes, long left, long jitter, ISimulationHandler arrived, long argument, int next)
    {
        public readonly long Bytes = bytes;
        public long Left = left;
        public readonly long Jitter = jitter;
        public readonly ISimulationHandler Arrived = arrived;
        public readonly long Argument = argument;
        public int Next = next;
    }
}
