using System.Runtime.InteropServices;
using ILGPU;

namespace Garden.Kernels.Experts;

/// <summary>Arguments of <see cref="ForwardCount"/>.</summary>
[StructLayout(LayoutKind.Sequential)]
public struct ForwardCountArgs
{
    /// <summary>Address of the number of rows that one rank's dispatch delivered.</summary>
    public ulong Rows;

    /// <summary>Address of another rank's number of tokens.</summary>
    public ulong Tokens;
}

/// <summary>The kernel that makes the rows of one dispatch the tokens of another: only the device knows how many they are.</summary>
public static class ForwardCount
{
    /// <summary>The kernel, for one thread.</summary>
    public static void Run(ForwardCountArgs arguments)
    {
        if (Grid.IdxX == 0 && Group.IdxX == 0)
            GlobalMemory.Store4(arguments.Tokens, GlobalMemory.Load4(arguments.Rows));
    }
}
