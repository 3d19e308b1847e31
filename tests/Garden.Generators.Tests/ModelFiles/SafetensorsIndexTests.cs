using Garden.Generators.ModelFiles;
using Microsoft.CodeAnalysis.Text;

namespace Garden.Generators.Tests.ModelFiles;

public sealed class SafetensorsIndexTests
{
    [Fact]
    public void Names_come_in_the_order_of_the_file()
    {
        ModelFile<SafetensorsIndex> file = Read("""{"metadata": {"total_size": 5e10}, "weight_map": {"b.weight": "1", "a\u002eweight": "2"}, "x": [1]}""");
        Assert.Null(file.Error);
        Assert.Equal(["b.weight", "a.weight"], file.Content!.Names);
    }

    [Fact]
    public void Indexes_compare_by_their_names()
    {
        SafetensorsIndex index = new(["a", "b"]);
        Assert.Equal(index, new SafetensorsIndex(["a", "b"]));
        Assert.Equal(index.GetHashCode(), new SafetensorsIndex(["a", "b"]).GetHashCode());
        Assert.NotEqual(index, new SafetensorsIndex(["b", "a"]));
        Assert.NotEqual(index, new SafetensorsIndex(["ab"]));
        Assert.NotEqual(index, new SafetensorsIndex(["a"]));
    }

    [Theory]
    [InlineData("""{"metadata": {}}""", "there is no weight_map")]
    [InlineData("""{"weight_map": []}""", "expected an object that maps tensors to files")]
    [InlineData("""{"weight_map": {"a": 1}}""", "expected the name of a file")]
    [InlineData("""{"weight_map": {"a": "1", "a": "2"}}""", "'a' is listed twice")]
    [InlineData("""{"weight_map": {}, "weight_map": {}}""", "weight_map is given twice")]
    public void What_is_no_index_is_an_error(string json, string message) => Assert.Contains(message, Read(json).Error);

    private static ModelFile<SafetensorsIndex> Read(string json) =>
        ModelFile<SafetensorsIndex>.Read("x.index.json", SourceText.From(json), SafetensorsIndex.Read);
}
