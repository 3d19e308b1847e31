using System.Runtime.InteropServices;
using Garden.Interop.Verbs.Native;

namespace Garden.Interop.Verbs;

/// <summary>The devices of this host.</summary>
internal static unsafe class VerbsDevices
{
    private const string Class = "/sys/class/infiniband";

    /// <summary>Names of all devices.</summary>
    public static IReadOnlyList<string> Names()
    {
        VerbsLibrary.Require();
        int count;
        void** list = Imports.ibv_get_device_list(&count);
        if (list is null)
            return [];
        var names = new List<string>(count);
        // Safe: the list has count entries.
        for (int i = 0; i < count; i++)
            names.Add(Marshal.PtrToStringUTF8((nint)Imports.ibv_get_device_name(list[i]))!);
        Imports.ibv_free_device_list(list);
        names.Sort(StringComparer.Ordinal);
        return names;
    }

    /// <summary>Opens a device by name.</summary>
    /// <exception cref="FabricException">There is none of that name, or it cannot be opened; the message lists what there is.</exception>
    public static VerbsHandle Open(string name, out ibv_context* context)
    {
        VerbsLibrary.Require();
        int count;
        void** list = Imports.ibv_get_device_list(&count);
        context = null;
        for (int i = 0; list is not null && i < count; i++)
        {
            if (Marshal.PtrToStringUTF8((nint)Imports.ibv_get_device_name(list[i])) != name)
                continue;
            context = Imports.ibv_open_device(list[i]);
            int error = Marshal.GetLastPInvokeError();
            Imports.ibv_free_device_list(list);
            if (context is null)
                throw new FabricException($"The device {name} could not be opened: {Marshal.GetPInvokeErrorMessage(error)} ({error}); it needs access to /dev/infiniband/uverbs* (`ls -l /dev/infiniband`).");
            return new VerbsHandle(context, &Close, null);
        }

        if (list is not null)
            Imports.ibv_free_device_list(list);
        throw Missing($"no device {name}");
    }

    /// <summary>The first active port of every device.</summary>
    /// <exception cref="FabricException">There is none, or there are more than an engine's device may have NICs.</exception>
    public static IReadOnlyList<DeviceName> Active()
    {
        var active = new List<DeviceName>();
        foreach (string name in Names())
        {
            using VerbsHandle device = Open(name, out ibv_context* context);
            if (FirstActivePort(context, name) is var port and not 0)
                active.Add(new DeviceName(name, port, -1));
        }

        if (active.Count == 0)
            throw Missing("no device with an active port");
        if (active.Count > NetAddress.MaxNics)
            throw new FabricException($"{active.Count} devices have an active port ({string.Join(", ", active)}), and a device of an engine has at most {NetAddress.MaxNics} NICs; name those that are meant in VerbsOptions.Devices.");
        return active;
    }

    /// <summary>The device's first active port, 0 when it has none.</summary>
    public static byte FirstActivePort(ibv_context* context, string name)
    {
        ibv_device_attr attributes = default;
        VerbsErrors.Check(Imports.ibv_query_device(context, &attributes), "ibv_query_device", name);
        for (byte port = 1; port <= attributes.phys_port_cnt; port++)
        {
            if (VerbsPort.Query(context, port, name).state == IBV.IBV_PORT_ACTIVE)
                return port;
        }

        return 0;
    }

    /// <summary>What was looked for and what is there instead.</summary>
    public static FabricException Missing(string what)
    {
        string[] kernel = Directory.Exists(Class) ? [.. Directory.GetDirectories(Class).Select(static path => Path.GetFileName(path)).Order(StringComparer.Ordinal)] : [];
        string seen = kernel.Length == 0 ? $"the kernel has none ({Class} is {(Directory.Exists(Class) ? "empty" : "not there")})" : $"the kernel has {string.Join(", ", kernel.Select(Describe))}";
        return new FabricException($"verbs: {what} was found; {seen}, and {VerbsLibrary.Soname} lists {(Names() is { Count: > 0 } names ? string.Join(", ", names) : "none (without a provider of its kind a device is not listed)")}. For hardware: {VerbsLibrary.InstallLine}, and its driver. Without: {VerbsLibrary.SoftDeviceLine}");
    }

    private static string Describe(string device)
    {
        string ports = Path.Combine(Class, device, "ports");
        return Directory.Exists(ports)
            ? $"{device} ({string.Join(", ", Directory.GetDirectories(ports).Select(static port => $"port {Path.GetFileName(port)} {ReadState(port)}"))})"
            : device;
    }

    private static string ReadState(string port)
    {
        try
        {
            return File.ReadAllText(Path.Combine(port, "state")).Trim();
        }
        catch (IOException)
        {
            return "unknown";
        }
    }

    private static int Close(void* context) => Imports.ibv_close_device((ibv_context*)context);
}
