using System.Globalization;
using System.Reflection;
using System.Runtime.Loader;
using CsCheck;
using Garden.Generators.Integration;
using Microsoft.CodeAnalysis;

namespace Garden.Generators.Tests.KvCache;

/// <summary>
/// Random pairs of layouts, generated, compiled and run against the naive model: the geometry nobody thought of. Many
/// pairs share a compilation, because compiling costs more than running.
/// </summary>
public sealed class RandomGeometryTests
{
    private const int PairsPerCompilation = 16;

    private static readonly int[] s_heads = [1, 2, 3, 4, 6, 8];

    [Fact]
    public void Any_two_layouts_of_one_cache_can_be_joined() => Gen.Int[0, int.MaxValue].Sample(CheckBatch, iter: 2, threads: 1);

    private static void CheckBatch(int seed)
    {
        var random = new Random(seed);
        var text = new StringWriter(CultureInfo.InvariantCulture);
        text.WriteLine("using Garden.KvCache;\n#pragma warning disable 1591");
        for (int i = 0; i < PairsPerCompilation; i++)
        {
            string cache = Cache(random, out int heads);
            text.WriteLine($"[KvPageLayout({cache}, {Placement(random, heads)})] public partial struct From{i};");
            text.WriteLine($"[KvPageLayout({cache}, {Placement(random, heads)})] public partial struct To{i};");
            text.WriteLine($"[KvTransfer<From{i}, To{i}>] public partial struct Move{i};");
        }

        Compilation output = Sources.Generate(Sources.Compile(text.ToString()));
        using var image = new MemoryStream();
        Assert.Empty(output.Emit(image).Diagnostics);
        image.Position = 0;
        var context = new AssemblyLoadContext("random geometry", isCollectible: true);
        try
        {
            Assembly assembly = context.LoadFromStream(image);
            MethodInfo run = typeof(RandomGeometryTests).GetMethod(nameof(RunPair), BindingFlags.NonPublic | BindingFlags.Static)!;
            for (int i = 0; i < PairsPerCompilation; i++)
            {
                Type from = assembly.GetType($"From{i}")!, to = assembly.GetType($"To{i}")!;
                run.MakeGenericMethod(assembly.GetType($"Move{i}")!, from, to).Invoke(null, BindingFlags.DoNotWrapExceptions, null, [random], null);
                run.MakeGenericMethod(from.GetNestedType("Transfer")!, from, from).Invoke(null, BindingFlags.DoNotWrapExceptions, null, [random], null);
            }
        }
        finally
        {
            context.Unload();
        }
    }

    private static void RunPair<TPlan, TFrom, TTo>(Random random)
        where TPlan : unmanaged, Garden.KvCache.IKvTransfer<TPlan>
        where TFrom : unmanaged, Garden.KvCache.IKvPageLayout<TFrom>
        where TTo : unmanaged, Garden.KvCache.IKvPageLayout<TTo>
    {
        for (int i = 0; i < 4; i++)
        {
            TransferCheck.Run<TPlan, TFrom, TTo>(TransferScenario.Create<TPlan>(
                random.Next(20), random.Next(1, 25), random.Next(40), (TransferScenario.Order)random.Next(3), (TransferScenario.Order)random.Next(3), random.Next()));
        }
    }

    private static string Cache(Random random, out int heads)
    {
        heads = random.Next(4) == 0 ? 0 : s_heads[random.Next(s_heads.Length)];
        string size = heads == 0 ? $"LatentSize = {random.Next(1, 9)}" : $"KvHeads = {heads}, HeadSize = {(random.Next(8) == 0 ? 9000 : random.Next(1, 9))}";
        return $"Layers = {random.Next(1, 4)}, {size}, Element = (KvElement){random.Next(6)}";
    }

    private static string Placement(Random random, int heads)
    {
        int[] degrees = heads == 0 ? [1, 2, 3] : [.. Enumerable.Range(1, 2 * heads).Where(n => heads % n == 0 || n % heads == 0)];
        string planes = heads == 0 ? "" : $"Planes = (KvPlanes){random.Next(2)}, ";
        return $"{planes}TokensPerPage = {random.Next(1, 8)}, Axes = (KvAxisOrder){random.Next(2)}, PoolOrder = (KvPoolOrder){random.Next(2)}, TensorParallel = {degrees[random.Next(degrees.Length)]}";
    }
}
