using System.Runtime.InteropServices;
using Garden.Interop.Libfabric.Native;

namespace Garden.Interop.Libfabric;

/// <summary>Asks libfabric for one provider, and says what is there instead when it is not.</summary>
internal sealed unsafe class ProviderQuery : IDisposable
{
    private readonly string _provider;
    private readonly fi_info* _hints;
    private fi_info* _found;

    private ProviderQuery(string provider, fi_info* hints)
    {
        _provider = provider;
        _hints = hints;
    }

    /// <summary>A query for reliable, connectionless endpoints that send messages and write to remote memory.</summary>
    /// <exception cref="FabricException">The library is not there, or too old.</exception>
    public static ProviderQuery Begin(string provider)
    {
        LibfabricLibrary.Require();
        fi_info* hints = Imports.fi_dupinfo(null);
        if (hints is null)
            throw new FabricException("libfabric has no memory for a query.", Garden.Fabric.FabricStatus.ProviderError, FI.FI_ENOMEM);
        hints->caps = FI.FI_MSG | FI.FI_RMA;
        hints->mode = FI.FI_CONTEXT | FI.FI_CONTEXT2;
        hints->ep_attr->type = FI.FI_EP_RDM;
        hints->domain_attr->mr_mode = FI.FI_MR_LOCAL | FI.FI_MR_VIRT_ADDR | FI.FI_MR_ALLOCATED | FI.FI_MR_PROV_KEY | FI.FI_MR_ENDPOINT | FI.FI_MR_HMEM;
        hints->domain_attr->threading = FI.FI_THREAD_DOMAIN;
        hints->domain_attr->control_progress = FI.FI_PROGRESS_MANUAL;
        hints->domain_attr->data_progress = FI.FI_PROGRESS_MANUAL;
        hints->domain_attr->resource_mgmt = FI.FI_RM_ENABLED;
        hints->fabric_attr->prov_name = Copy(provider);
        return new ProviderQuery(provider, hints);
    }

    /// <summary>Asks for one NIC by its domain's name.</summary>
    public void SetDomain(string name) => _hints->domain_attr->name = Copy(name);

    /// <summary>The first that fits; it lives as long as the query.</summary>
    /// <param name="node">The local address, null for any.</param>
    /// <param name="service">The local port, null for any.</param>
    /// <param name="what">What is looked for, for the message.</param>
    /// <param name="install">How to get the provider where it does not come with the library.</param>
    /// <exception cref="FabricException">Nothing fits; the message lists what is there.</exception>
    public fi_info* Find(string? node, string? service, string what, string install = LibfabricLibrary.InstallLine)
    {
        byte* nativeNode = Copy(node), nativeService = Copy(service);
        fi_info* found = null;
        try
        {
            // With an address only FI_SOURCE may be given: it is the local one, not a peer's.
            int code = Imports.fi_getinfo(LibfabricLibrary.InterfaceVersion, nativeNode, nativeService, node is null ? 0 : FI.FI_SOURCE, _hints, &found);
            if (code != 0)
                throw new FabricException($"{what} is not available: {LibfabricErrors.Text(-code)} ({-code}). {LibfabricErrors.Explain(-code)} Here are, in libfabric {LibfabricLibrary.VersionText}: {string.Join(", ", Providers())}. To install {_provider}: {install}", Garden.Fabric.FabricStatus.ProviderError, -code);
        }
        finally
        {
            Free(nativeNode);
            Free(nativeService);
        }

        if (_found is not null)
            Imports.fi_freeinfo(_found);
        return _found = found;
    }

    /// <summary>Names of the providers that offer what the engine needs.</summary>
    public static IReadOnlyList<string> Providers()
    {
        LibfabricLibrary.Require();
        fi_info* found;
        using ProviderQuery all = Begin("");
        if (Imports.fi_getinfo(LibfabricLibrary.InterfaceVersion, null, null, 0, all._hints, &found) != 0)
            return ["no provider"];
        var names = new SortedSet<string>(StringComparer.Ordinal);
        for (fi_info* info = found; info is not null; info = info->next)
            names.Add(ProviderAttributes.Text(info->fabric_attr->prov_name));
        Imports.fi_freeinfo(found);
        return [.. names];
    }

    public void Dispose()
    {
        Imports.fi_freeinfo(_hints);
        if (_found is not null)
            Imports.fi_freeinfo(_found);
    }

    /// <summary>A text in memory of malloc, which fi_freeinfo frees with the info it hangs on.</summary>
    private static byte* Copy(string? text)
    {
        if (string.IsNullOrEmpty(text))
            return null;
        int length = System.Text.Encoding.UTF8.GetByteCount(text);
        // Safe: one byte more than the text has, for its end.
        byte* copy = (byte*)NativeMemory.AllocZeroed((nuint)length + 1);
        System.Text.Encoding.UTF8.GetBytes(text, new Span<byte>(copy, length));
        return copy;
    }

    private static void Free(byte* text) => NativeMemory.Free(text);
}
