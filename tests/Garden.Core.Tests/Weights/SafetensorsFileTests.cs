using System.Text.Json;
using Garden.Weights;

namespace Garden.Core.Tests.Weights;

public sealed class SafetensorsFileTests : IDisposable
{
    private readonly TemporaryDirectory _directory = new();

    public void Dispose() => _directory.Dispose();

    [Fact]
    public void What_was_written_is_read()
    {
        string path = _directory.File("model.safetensors");
        byte[] bytes = Bytes(2 * 3 * 4, 1), scalar = Bytes(8, 2);
        Write(path, ("weight", SafetensorsElement.BFloat16, [3, 4], bytes), ("empty", SafetensorsElement.Float32, [0, 7], []), ("step", SafetensorsElement.Int64, [], scalar));
        using SafetensorsFile file = SafetensorsFile.Open(path);
        Assert.Equal(0, file.Header.DataOffset % 8);
        Assert.Equal(bytes, file.Bytes(file.Header.Find("weight")!, 0, 24).ToArray());
        Assert.Equal(bytes[5..9], file.Bytes(file.Header.Find("weight")!, 5, 4).ToArray());
        Assert.Equal(scalar, file.Bytes(file.Header.Find("step")!, 0, 8).ToArray());
        Assert.Equal(0, file.Header.Find("empty")!.Length);
    }

    [Fact]
    public void No_byte_beside_a_tensor_is_given_out()
    {
        string path = _directory.File("model.safetensors");
        Write(path, ("a", SafetensorsElement.UInt8, [4], Bytes(4, 1)), ("b", SafetensorsElement.UInt8, [4], Bytes(4, 2)));
        using SafetensorsFile file = SafetensorsFile.Open(path);
        SafetensorsTensor a = file.Header.Find("a")!;
        Assert.Throws<ArgumentOutOfRangeException>(() => file.Bytes(a, 1, 4).Length);
        Assert.Throws<ArgumentOutOfRangeException>(() => file.Bytes(a, -1, 2).Length);
        Assert.Throws<ArgumentOutOfRangeException>(() => file.Bytes(a, long.MaxValue, 2).Length);
        // A description from elsewhere does not open the mapping.
        Assert.Throws<ArgumentOutOfRangeException>(() => file.Bytes(a with { Offset = 4, Length = 5 }, 0, 5).Length);
        file.Dispose();
        Assert.Throws<ObjectDisposedException>(() => file.Bytes(a, 0, 1).Length);
    }

    [Fact]
    public void Files_that_are_none_are_refused_and_closed()
    {
        string path = _directory.File("model.safetensors");
        foreach (byte[] content in (byte[][])[[], [1, 2, 3], [200, 0, 0, 0, 0, 0, 0, 0, (byte)'{'], new byte[8]])
        {
            File.WriteAllBytes(path, content);
            Assert.Throws<SafetensorsException>(() => SafetensorsFile.Open(path));
        }

        Write(path, ("a", SafetensorsElement.UInt8, [4], Bytes(4, 1)));
        File.WriteAllBytes(path, File.ReadAllBytes(path)[..^1]);
        Assert.Contains("the file has 3 bytes of tensors", Assert.Throws<SafetensorsException>(() => SafetensorsFile.Open(path)).Message, StringComparison.Ordinal);
        Assert.Throws<FileNotFoundException>(() => SafetensorsFile.Open(_directory.File("none")));
    }

    [Fact]
    public void A_writer_refuses_what_it_did_not_declare()
    {
        string path = _directory.File("model.safetensors");
        Assert.Throws<ArgumentException>(() => new SafetensorsWriter(path, [("a", SafetensorsElement.UInt8, [1]), ("a", SafetensorsElement.UInt8, [1])]));
        using var writer = new SafetensorsWriter(path, [("a", SafetensorsElement.UInt8, [4])]);
        writer.Write([1, 2, 3]);
        Assert.Throws<ArgumentException>(() => writer.Write([4, 5]));
        Assert.Throws<InvalidOperationException>(writer.Complete);
    }

    [Fact]
    public void A_sharded_checkpoint_is_opened_by_its_index()
    {
        Write(_directory.File("model-00001-of-00002.safetensors"), ("a", SafetensorsElement.UInt8, [4], Bytes(4, 1)));
        Write(_directory.File("model-00002-of-00002.safetensors"), ("b", SafetensorsElement.UInt8, [2], Bytes(2, 2)));
        WriteIndex(("a", "model-00001-of-00002.safetensors"), ("b", "model-00002-of-00002.safetensors"));
        using (SafetensorsCheckpoint checkpoint = SafetensorsCheckpoint.Open(_directory.Path))
        {
            Assert.Equal(6, checkpoint.Length);
            Assert.True(checkpoint.TryFind("b", out SafetensorsFile file, out SafetensorsTensor tensor));
            Assert.Equal(Bytes(2, 2), file.Bytes(tensor, 0, 2).ToArray());
            Assert.False(checkpoint.TryFind("c", out _, out _));
        }

        WriteIndex(("a", "model-00002-of-00002.safetensors"));
        Assert.Contains("does not have it", Assert.Throws<SafetensorsException>(() => SafetensorsCheckpoint.Open(_directory.Path)).Message, StringComparison.Ordinal);
        File.Delete(_directory.File(SafetensorsIndex.FileName));
        File.Move(_directory.File("model-00001-of-00002.safetensors"), _directory.File("model.safetensors"));
        using SafetensorsCheckpoint single = SafetensorsCheckpoint.Open(_directory.Path);
        Assert.Equal(["a"], single.Names);
    }

    [Theory]
    [InlineData("""{"weight_map":{"a":"../secret"}}""", "no plain file name")]
    [InlineData("""{"weight_map":{"a":"/etc/passwd"}}""", "no plain file name")]
    [InlineData("""{"weight_map":{"a":".."}}""", "no plain file name")]
    [InlineData("""{"weight_map":{"a":""}}""", "no plain file name")]
    [InlineData("""{"weight_map":{"a":1}}""", "no file name")]
    [InlineData("""{"weight_map":{"a":"x","a":"x"}}""", "twice")]
    [InlineData("""{"weight_map":[]}""", "no object")]
    [InlineData("""{"metadata":{}}""", "no weight_map")]
    [InlineData("""{"weight_map":{}""", "")]
    [InlineData("{\"weight_map\":{}}{", "")]
    [InlineData("\u0000", "")]
    public void An_index_that_is_wrong_is_refused(string json, string reason)
    {
        byte[] bytes = System.Text.Encoding.UTF8.GetBytes(json);
        Assert.Contains(reason, Assert.Throws<SafetensorsException>(() => SafetensorsIndex.Parse("index", bytes)).Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("llama-3-70b", 723, 282_215_219_200)]
    [InlineData("qwen3.5-25b-a3b", 22_213, 50_182_743_296)]
    public void The_index_of_a_real_checkpoint_is_read(string model, int tensors, long bytes)
    {
        string? path = SharedFiles.Find($"models/{model}/{SafetensorsIndex.FileName}");
        Assert.SkipWhen(path is null, $"shared/data/models/{model} is not beside the repository.");
        SafetensorsIndex index = SafetensorsIndex.Open(path!);
        Assert.Equal(tensors, index.Files.Count);
        Assert.Equal(bytes, index.TotalSize);
    }

    private static byte[] Bytes(int count, int seed)
    {
        byte[] bytes = new byte[count];
        new Random(seed).NextBytes(bytes);
        return bytes;
    }

    private static void Write(string path, params (string Name, SafetensorsElement Element, long[] Shape, byte[] Bytes)[] tensors)
    {
        using var writer = new SafetensorsWriter(path, [.. tensors.Select(tensor => (tensor.Name, tensor.Element, (IReadOnlyList<long>)tensor.Shape))]);
        foreach ((_, _, _, byte[] bytes) in tensors)
            writer.Write(bytes);
        writer.Complete();
    }

    private void WriteIndex(params (string Name, string File)[] places) => File.WriteAllText(
        _directory.File(SafetensorsIndex.FileName),
        JsonSerializer.Serialize(new { metadata = new { total_size = 6.0 }, weight_map = places.ToDictionary(place => place.Name, place => place.File) }));
}
