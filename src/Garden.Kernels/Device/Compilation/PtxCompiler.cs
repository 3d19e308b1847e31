using System.Reflection;
using System.Text.RegularExpressions;
using ILGPU;
using ILGPU.Backends.EntryPoints;
using ILGPU.Backends.PTX;
using ILGPU.Runtime;
using ILGPU.Runtime.Cuda;

namespace Garden.Kernels.Compilation;

/// <summary>
/// Compiles kernels to PTX with ILGPU, on any machine: no device is needed. ILGPU's own CUDA accelerator is not used, because it
/// makes a context of its own, in which neither memory nor streams of PyTorch or of a server can be used.
/// </summary>
internal static partial class PtxCompiler
{
    /// <summary>Hopper's; newer devices run it too, compiled by their driver.</summary>
    private const int NewestMajor = 9;

    private static readonly Lock s_lock = new();

    /// <summary>Every engine on a device loads the same kernels: compiling one takes ILGPU tens of milliseconds.</summary>
    private static readonly Dictionary<(MethodInfo Method, int Major, int Minor), PtxKernel> s_compiled = [];
    private static Context? s_context;

    /// <summary>The PTX version the text is written in, that of CUDA 12.0.</summary>
    public static string InstructionSetName => "8.0";

    /// <summary>Compiles a kernel for a compute capability.</summary>
    /// <exception cref="KernelCompilationException">ILGPU refused it.</exception>
    public static PtxKernel Compile<TArgs>(Action<TArgs> kernel, (int Major, int Minor) capability)
        where TArgs : unmanaged
    {
        ArgumentNullException.ThrowIfNull(kernel);
        string name = NameOf(kernel.Method);
        (int major, int minor) = capability.Major > NewestMajor ? (NewestMajor, 0) : capability;
        var architecture = new CudaArchitecture(major, minor);
        lock (s_lock)
        {
            if (s_compiled.TryGetValue((kernel.Method, major, minor), out PtxKernel? known))
                return known;
            try
            {
                s_context ??= Context.Create(static builder => builder.Optimize(OptimizationLevel.O2));
                using var backend = new PTXBackend(s_context, new CudaCapabilityContext(architecture), architecture, CudaInstructionSet.ISA_80, null);
                var compiled = (PTXCompiledKernel)backend.Compile(EntryPointDescription.FromExplicitlyGroupedKernel(kernel.Method), KernelSpecialization.Empty);
                // ILGPU caps the target at sm_80, which would refuse what newer devices can do.
                string text = Target().Replace(compiled.PTXAssembly, $".target sm_{major}{minor}", 1);
                if (major < NewestMajor)
                    text = PtxBeforeHopper.Rewrite(text);
                return s_compiled[(kernel.Method, major, minor)] = new PtxKernel(name, EntryPoint().Match(text).Groups["name"].Value, PtxLocals.Promote(text));
            }
            catch (Exception exception) when (exception is not KernelCompilationException)
            {
                // A failed compilation leaves the context unusable for the next one.
                s_context?.Dispose();
                s_context = null;
                throw new KernelCompilationException($"ILGPU could not compile {name}: {exception.Message} A kernel is a static method with one blittable public struct, without managed objects.", exception);
            }
        }
    }

    /// <summary>"GatherPages`2.Run" with its type arguments by name.</summary>
    internal static string NameOf(MethodInfo method)
    {
        Type? type = method.DeclaringType;
        string arguments = type is { IsGenericType: true } ? $"<{string.Join(", ", type.GetGenericArguments().Select(static argument => argument.Name))}>" : "";
        return $"{type?.Name.Split('`')[0]}{arguments}.{method.Name}";
    }

    [GeneratedRegex(@"\.target sm_\d+")]
    private static partial Regex Target();

    [GeneratedRegex(@"\.visible \.entry (?<name>\w+)\(")]
    private static partial Regex EntryPoint();
}
