using System.Diagnostics;
using System.Runtime.CompilerServices;

namespace Garden.Kernels.Tests.Device;

/// <summary>This executable as another process: a variable in its environment says what to do instead of running tests.</summary>
internal static class IpcChild
{
    public const string InvertCommand = "invert";
    public const string ExportCommand = "export";
    public const string ExportAndStayCommand = "stay";
    public const string NvlinkCommand = "nvlink";
    private const string Command = "GARDEN_IPC_CHILD";
    private const string Argument = "GARDEN_IPC_ARGUMENT";

    public static Process Start(string command, string argument)
    {
        var start = new ProcessStartInfo(Environment.ProcessPath!) { RedirectStandardInput = true, RedirectStandardOutput = true, RedirectStandardError = true };
        // Under `dotnet x.dll` the process is dotnet and has to be told which assembly to run.
        if (Path.GetFileNameWithoutExtension(Environment.ProcessPath) == "dotnet")
            start.ArgumentList.Add(typeof(IpcChild).Assembly.Location);
        start.Environment[Command] = command;
        start.Environment[Argument] = argument;
        return Process.Start(start)!;
    }

    [ModuleInitializer]
    internal static void Run()
    {
        if (Environment.GetEnvironmentVariable(Command) is not { } command)
            return;
        try
        {
            if (command == NvlinkCommand)
            {
                Nvlink.NvlinkChild.Run(Environment.GetEnvironmentVariable(Argument)!);
                Environment.Exit(0);
            }

            using CudaDevice device = KernelDevice.OpenCuda();
            if (command == InvertCommand)
                Invert(device, IpcMemoryHandle.Parse(Convert.FromBase64String(Environment.GetEnvironmentVariable(Argument)!)));
            else
                Console.WriteLine(Convert.ToBase64String(device.ExportMemory(device.Allocate(1000)).ToBytes()));
            if (command == ExportAndStayCommand)
                Console.In.ReadToEnd();
            Environment.Exit(0);
        }
        catch (Exception exception)
        {
            Console.WriteLine(exception);
            Environment.Exit(1);
        }
    }

    private static void Invert(CudaDevice device, IpcMemoryHandle handle)
    {
        // Twice the same allocation: one mapping, which the first buffer to go must not close.
        DeviceBuffer first = device.ImportMemory(handle);
        using DeviceBuffer second = device.ImportMemory(handle);
        if (first.Address != second.Address)
            throw new InvalidOperationException("The same allocation was opened twice.");
        first.Dispose();
        byte[] bytes = TestBytes.Download(second);
        for (int i = 0; i < bytes.Length; i++)
            bytes[i] = (byte)~bytes[i];
        second.Write(bytes);
    }
}
