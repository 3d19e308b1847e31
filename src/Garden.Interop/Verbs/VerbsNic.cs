using System.Runtime.InteropServices;
using Garden.Interop.Verbs.Native;

namespace Garden.Interop.Verbs;

/// <summary>
/// The verbs objects of one NIC, in the order they are made: device, protection domain, completion channel, completion queue, shared
/// receive queues, and a descriptor that becomes readable with the channel's or the device's.
/// </summary>
internal sealed unsafe class VerbsNic : IDisposable
{
    private readonly Stack<VerbsHandle> _handles = new();
    private int _unacknowledged;

    private VerbsNic()
    {
    }

    public VerbsPort Port { get; private set; } = null!;

    public ibv_device_attr Limits { get; private set; }

    public ibv_context* Context { get; private set; }

    public ibv_pd* Pd { get; private set; }

    /// <summary>Owns <see cref="Pd"/>; who uses it outside the domain's lock holds a reference.</summary>
    public VerbsHandle PdHandle { get; private set; } = null!;

    public ibv_cq* Cq { get; private set; }

    /// <summary>What the completion queue holds.</summary>
    public int Completions { get; private set; }

    /// <summary>Receives without buffers, for immediates.</summary>
    public ibv_srq* Immediates { get; private set; }

    /// <summary>Receives with buffers, for messages.</summary>
    public ibv_srq* Messages { get; private set; }

    public int WaitDescriptor { get; private set; } = -1;

    private ibv_comp_channel* Channel { get; set; }

    /// <summary>Opens a device's port and makes the queues all connections share.</summary>
    /// <exception cref="FabricException">A step failed; the message names it.</exception>
    public static VerbsNic Open(DeviceName name, VerbsOptions options, int completions, int immediates, int messages)
    {
        var nic = new VerbsNic();
        try
        {
            nic.OpenAll(name, options, completions, immediates, messages);
            return nic;
        }
        catch
        {
            nic.Dispose();
            throw;
        }
    }

    /// <summary>Takes the wake that the completion queue has sent since it was told to; false when there is none. It is acknowledged later, with others.</summary>
    public bool TryTakeWake()
    {
        ibv_cq* cq;
        void* context;
        if (Imports.ibv_get_cq_event(Channel, &cq, &context) != 0)
            return false;
        if (++_unacknowledged >= 1024)
        {
            Imports.ibv_ack_cq_events(Cq, (uint)_unacknowledged);
            _unacknowledged = 0;
        }

        return true;
    }

    /// <summary>Takes one event of the device; false when there is none.</summary>
    public bool TryTakeEvent(out int type)
    {
        ibv_async_event happened = default;
        type = -1;
        if (Imports.ibv_get_async_event(Context, &happened) != 0)
            return false;
        type = happened.event_type;
        Imports.ibv_ack_async_event(&happened);
        return true;
    }

    /// <summary>Puts a made object under this one's care.</summary>
    public VerbsHandle Own(void* made, delegate*<void*, int> release, VerbsHandle? parent)
    {
        var handle = new VerbsHandle(made, release, parent);
        _handles.Push(handle);
        return handle;
    }

    /// <summary>Releases everything in the reverse order.</summary>
    public void Dispose()
    {
        if (_unacknowledged != 0 && Cq is not null)
            Imports.ibv_ack_cq_events(Cq, (uint)_unacknowledged);
        _unacknowledged = 0;
        if (WaitDescriptor >= 0)
            _ = LibC.close(WaitDescriptor);
        WaitDescriptor = -1;
        while (_handles.TryPop(out VerbsHandle? handle))
            handle.Dispose();
    }

    private void OpenAll(DeviceName name, VerbsOptions options, int completions, int immediates, int messages)
    {
        VerbsHandle device = VerbsDevices.Open(name.Device, out ibv_context* context);
        _handles.Push(device);
        Context = context;
        ibv_device_attr limits = default;
        VerbsErrors.Check(Imports.ibv_query_device(context, &limits), "ibv_query_device", name.Device);
        Limits = limits;
        if (name.Port > limits.phys_port_cnt)
            throw new FabricException($"{name.Device} has {limits.phys_port_cnt} ports; there is no port {name.Port}.");
        byte port = name.Port != 0 ? name.Port : VerbsDevices.FirstActivePort(context, name.Device);
        Port = VerbsPort.Read(context, name.Device, port == 0 ? (byte)1 : port, name.GidIndex, options);
        if (!Port.IsActive)
            throw new FabricException($"{Port} is not active: {VerbsErrors.Explain(VerbsErrors.PortDown)}", Garden.Fabric.FabricStatus.NicDown, VerbsErrors.PortDown);
        string where = Port.ToString();
        RequireRoom(completions, limits.max_cqe, "completion queue entries", where);
        RequireRoom(Math.Max(immediates, messages), limits.max_srq_wr, "receives in a shared queue", where);
        RequireRoom(options.PeerQueueDepth, limits.max_qp_wr, "writes in a send queue", where);

        ibv_pd* pd = Imports.ibv_alloc_pd(context);
        VerbsErrors.Check(pd, "ibv_alloc_pd", where);
        Pd = pd;
        PdHandle = Own(pd, &FreePd, device);

        ibv_comp_channel* channel = Imports.ibv_create_comp_channel(context);
        VerbsErrors.Check(channel, "ibv_create_comp_channel", where);
        Channel = channel;
        VerbsHandle channelHandle = Own(channel, &FreeChannel, device);

        ibv_cq* cq = Imports.ibv_create_cq(context, completions, null, channel, 0);
        VerbsErrors.Check(cq, $"ibv_create_cq ({completions} entries)", where);
        Cq = cq;
        Completions = completions;
        Own(cq, &FreeCq, channelHandle);
        Immediates = CreateReceives(immediates, where);
        Messages = CreateReceives(messages, where);
        WatchDescriptors(where);
    }

    private ibv_srq* CreateReceives(int count, string where)
    {
        var attributes = new ibv_srq_init_attr { attr = new ibv_srq_attr { max_wr = (uint)count, max_sge = 1 } };
        ibv_srq* queue = Imports.ibv_create_srq(Pd, &attributes);
        VerbsErrors.Check(queue, $"ibv_create_srq ({count} receives)", where);
        Own(queue, &FreeReceives, PdHandle);
        return queue;
    }

    /// <summary>One descriptor for the completion channel and the device's own events.</summary>
    private void WatchDescriptors(string where)
    {
        int both = LibC.epoll_create1(LibC.EPOLL_CLOEXEC);
        if (both < 0)
            VerbsErrors.Check(Marshal.GetLastPInvokeError(), "epoll_create1", where);
        WaitDescriptor = both;
        foreach (int descriptor in (ReadOnlySpan<int>)[Channel->fd, Context->async_fd])
        {
            // Neither may block: they are read until nothing is left.
            var watched = new LibC.epoll_event { events = LibC.EPOLLIN };
            if (LibC.fcntl(descriptor, LibC.F_SETFL, LibC.fcntl(descriptor, LibC.F_GETFL, 0) | LibC.O_NONBLOCK) < 0
                || LibC.epoll_ctl(both, LibC.EPOLL_CTL_ADD, descriptor, &watched) < 0)
                VerbsErrors.Check(Marshal.GetLastPInvokeError(), "watching a descriptor", where);
        }
    }

    private static void RequireRoom(int needed, int there, string what, string where)
    {
        if (needed > there)
            throw new FabricException($"{where} has at most {there} {what}, and these options need {needed}; lower VerbsOptions.MaxPeers, ImmediateWindow, MessageWindow or QueueDepth.");
    }

    private static int FreePd(void* pd) => Imports.ibv_dealloc_pd((ibv_pd*)pd);

    private static int FreeChannel(void* channel) => Imports.ibv_destroy_comp_channel((ibv_comp_channel*)channel);

    private static int FreeCq(void* cq) => Imports.ibv_destroy_cq((ibv_cq*)cq);

    private static int FreeReceives(void* queue) => Imports.ibv_destroy_srq((ibv_srq*)queue);
}
