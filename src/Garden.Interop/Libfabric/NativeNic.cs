using Garden.Interop.Libfabric.Native;

namespace Garden.Interop.Libfabric;

/// <summary>The libfabric objects of one NIC, in the order they are opened: fabric, domain, address vector, completion queue, endpoint.</summary>
internal sealed unsafe class NativeNic : IDisposable
{
    private readonly Stack<FidHandle> _handles = new();

    private NativeNic()
    {
    }

    public fid_fabric* Fabric { get; private set; }

    public fid_domain* Domain { get; private set; }

    public fid_av* Av { get; private set; }

    public fid_cq* Cq { get; private set; }

    public fid_ep* Ep { get; private set; }

    /// <summary>The completion queue's file descriptor, −1 when it has none.</summary>
    public int WaitDescriptor { get; private set; } = -1;

    /// <summary>Opens an enabled endpoint.</summary>
    /// <param name="info">What the provider offered; only read here.</param>
    /// <param name="traits">How the provider is worked with.</param>
    /// <param name="completions">Entries of the completion queue.</param>
    /// <param name="options">Provider options to set before the endpoint is enabled.</param>
    /// <exception cref="FabricException">A step failed; the message names it.</exception>
    public static NativeNic Open(fi_info* info, ProviderTraits traits, int completions, IReadOnlyList<EndpointOption> options)
    {
        string where = traits.Where;
        var nic = new NativeNic();
        try
        {
            nic.OpenAll(info, traits, completions, options, where);
            return nic;
        }
        catch
        {
            nic.Dispose();
            throw;
        }
    }

    /// <summary>The endpoint's address in the provider's form.</summary>
    public byte[] GetName()
    {
        byte[] name = new byte[256];
        nuint length = (nuint)name.Length;
        fixed (byte* bytes = name)
            LibfabricErrors.Check(Calls.fi_getname(Ep, bytes, &length), "fi_getname", "the endpoint");
        return name[..(int)length];
    }

    /// <summary>Closes the endpoint: nothing comes or goes any more, and no buffer is used. Memory registrations are closed after this.</summary>
    public void CloseEndpoint()
    {
        if (Ep is null)
            return;
        Ep = null;
        _handles.Pop().Dispose();
    }

    /// <summary>Closes everything in the reverse order.</summary>
    public void Dispose()
    {
        while (_handles.TryPop(out FidHandle? handle))
            handle.Dispose();
    }

    private void OpenAll(fi_info* info, ProviderTraits traits, int completions, IReadOnlyList<EndpointOption> options, string where)
    {
        fid_fabric* fabric;
        LibfabricErrors.Check(Imports.fi_fabric(info->fabric_attr, &fabric, null), "fi_fabric", where);
        Fabric = fabric;
        FidHandle fabricHandle = Own(&fabric->fid, null);

        fid_domain* domain;
        LibfabricErrors.Check(Calls.fi_domain(fabric, info, &domain), "fi_domain", where);
        Domain = domain;
        FidHandle domainHandle = Own(&domain->fid, fabricHandle);

        var avAttributes = new fi_av_attr { type = FI.FI_AV_UNSPEC };
        fid_av* av;
        LibfabricErrors.Check(Calls.fi_av_open(domain, &avAttributes, &av), "fi_av_open", where);
        Av = av;
        Own(&av->fid, domainHandle);

        var cqAttributes = new fi_cq_attr
        {
            size = (nuint)completions,
            format = FI.FI_CQ_FORMAT_DATA,
            wait_obj = traits.HasWaitDescriptor ? FI.FI_WAIT_FD : FI.FI_WAIT_NONE,
        };
        fid_cq* cq;
        LibfabricErrors.Check(Calls.fi_cq_open(domain, &cqAttributes, &cq), "fi_cq_open", where);
        Cq = cq;
        Own(&cq->fid, domainHandle);

        fid_ep* ep;
        LibfabricErrors.Check(Calls.fi_endpoint(domain, info, &ep), "fi_endpoint", where);
        Ep = ep;
        Own(&ep->fid, domainHandle);
        foreach (EndpointOption option in options)
            option.Set(ep, where);
        LibfabricErrors.Check(Calls.fi_ep_bind(ep, &av->fid, 0), "fi_ep_bind (address vector)", where);
        LibfabricErrors.Check(Calls.fi_ep_bind(ep, &cq->fid, FI.FI_TRANSMIT | FI.FI_RECV), "fi_ep_bind (completion queue)", where);
        LibfabricErrors.Check(Calls.fi_enable(ep), "fi_enable", where);
        if (!traits.HasWaitDescriptor)
            return;
        int descriptor;
        LibfabricErrors.Check(Calls.fi_control(&cq->fid, FI.FI_GETWAIT, &descriptor), "fi_control (FI_GETWAIT)", where);
        WaitDescriptor = descriptor;
    }

    private FidHandle Own(fid* fid, FidHandle? parent)
    {
        var handle = new FidHandle(fid, parent);
        _handles.Push(handle);
        return handle;
    }
}

/// <summary>A provider option with a boolean value, set before an endpoint is enabled.</summary>
/// <param name="Name">Its name in the headers.</param>
/// <param name="Number">Its number.</param>
/// <param name="Value">What to set.</param>
/// <param name="Required">False when a provider that does not know it goes on without.</param>
internal sealed record EndpointOption(string Name, int Number, bool Value, bool Required)
{
    public unsafe void Set(fid_ep* ep, string where)
    {
        byte value = Value ? (byte)1 : (byte)0;
        int code = Calls.fi_setopt(ep, FI.FI_OPT_ENDPOINT, Number, &value, 1);
        if (code != 0 && (Required || code is not (-FI.FI_ENOPROTOOPT or -FI.FI_EOPNOTSUPP)))
            LibfabricErrors.Check(code, $"fi_setopt ({Name})", where);
    }
}
